"""Tables: what is written is what is read, and no spreadsheet runs it."""

import csv
import io
from pathlib import Path
from typing import Literal

import pytest

from text2image.base.console import InputError
from text2image.formats.tables import guard, read_columns, read_csv, write_csv

CELLS = [
    "=1+1", "'=1+1", "''=1", "'", "'tis", "-0.25", "+1", "1e-5", "-", "-x", "'-0.25", "@a", "\t=1", "\r", "a=b", "",
]  # fmt: skip


def test_cells_survive_whatever_they_hold(tmp_path: Path) -> None:
    cells = [
        "plain",
        'quo"te',
        "com,ma",
        "new\nline",
        "cr\rcr",
        "crlf\r\n",
        " padded ",
        "日本",
        "",
        "=1+1",
        "# x",
    ]
    write_csv(tmp_path / "t.csv", ["n", "cell"], enumerate(cells))
    assert [row["cell"] for row in read_csv(tmp_path / "t.csv", ["n", "cell"])] == cells


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "columns path, text .* found an empty file"),
        (b"path;text\n", "columns path, text .* found path;text"),
        (b"path,text\na\n", "expected 2 cells on line 2 .* found 1"),
        (b"path,text\na,b,c\n", "expected 2 cells on line 2 .* found 3"),
        (b'path,text\n"a,b\n', "UTF-8 CSV file"),
        (b"path,text\na,\xff\n", "UTF-8 CSV file"),
    ],
)
def test_malformed_tables_are_one_sentence(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        read_csv(tmp_path / "t.csv", ["path", "text"], key="label.human.path")
    assert "\n" not in str(caught.value)
    assert "label.human.path" in str(caught.value)


def test_a_missing_table_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_csv(tmp_path / "t.csv", [])


def test_guarded_cells_come_back_and_numbers_stay(tmp_path: Path) -> None:
    write_csv(tmp_path / "t.csv", ("cell", "number"), [(cell, -0.25) for cell in CELLS])
    rows = read_csv(tmp_path / "t.csv", ("cell", "number"))
    assert [row["cell"] for row in rows] == CELLS
    assert {row["number"] for row in rows} == {"-0.25"}
    with (tmp_path / "t.csv").open(newline="") as file:
        written = [cell for cell, _ in csv.reader(file)][1:]
    assert written[:5] == ["'=1+1", "''=1+1", "'''=1", "'", "'tis"]
    assert written[5:8] == ["-0.25", "+1", "1e-5"]


def test_columns_are_those_of_the_rows(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    write_csv(path, ("cell", "number"), [(cell, number) for number, cell in enumerate(CELLS)])
    assert read_columns(path, ["cell"]) == {"cell": CELLS, "number": [str(n) for n in range(len(CELLS))]}
    path.write_text("cell,number\n")
    assert read_columns(path, ["number"]) == {"cell": [], "number": []}
    with pytest.raises(InputError, match="expected the columns other"):
        read_columns(path, ["other"])


@pytest.mark.parametrize("odd", CELLS)
def test_one_odd_cell_among_many_is_written_as_alone(tmp_path: Path, odd: str) -> None:
    rows: list[tuple[str, object]] = [(f"{number}.png", number / 4) for number in range(2500)]
    rows[1700] = (odd, None)
    write_csv(tmp_path / "t.csv", ("path", "number"), rows)
    out = io.StringIO(newline="")
    for row in (("path", "number"), *rows):
        cells = [guard(cell) if isinstance(cell, str) else cell for cell in row]
        quoting: Literal[0, 1] = csv.QUOTE_ALL if "\r" in str(row[0]) else csv.QUOTE_MINIMAL
        csv.writer(out, lineterminator="\n", quoting=quoting).writerow(cells)
    assert (tmp_path / "t.csv").read_bytes() == out.getvalue().encode()
