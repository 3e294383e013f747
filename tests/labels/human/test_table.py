"""Captions files as spreadsheets, Pandas and COCO tools write them; broken ones name their line."""

from pathlib import Path

import pytest

from text2image.base.console import InputError
from text2image.labels.human.table import Caption, read_captions

ROWS = [Caption(2, "", "0/Café Zürich.jpg", "red, wide door"), Caption(3, "", "0/b.jpg", 'a "good" one')]


def read(folder: Path, text: str, encoding: str = "utf-8") -> list[Caption]:
    (folder / "captions.csv").write_bytes(text.encode(encoding))
    return read_captions(folder / "captions.csv").rows


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"], ids=["unix", "windows", "old mac"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiter_encoding_and_line_ends_are_told_by_content(
    tmp_path: Path, delimiter: str, ends: str, encoding: str
) -> None:
    rows = ("path,text", '0/Café Zürich.jpg,"red, wide door"', '0/b.jpg,"a ""good"" one"')
    lines = [delimiter.join(row.split(",", 1)) for row in rows]
    assert read(tmp_path, ends.join(lines) + ends, encoding) == ROWS


@pytest.mark.parametrize("header", ["Path,Text", " PATH , TEXT ", "path,text,", ",path,text"])
def test_the_header_is_read_in_any_case_and_beside_other_columns(tmp_path: Path, header: str) -> None:
    before = "0," * header.startswith(",")
    assert read(tmp_path, f"{header}\n{before}0/b.jpg,hat\n") == [Caption(2, "", "0/b.jpg", "hat")]


def test_a_column_of_kinds_is_read_where_there_is_one(tmp_path: Path) -> None:
    assert read(tmp_path, "Kind,path,text\n Product ,0/b.jpg,hat\n") == [
        Caption(2, "", "0/b.jpg", "hat", " Product ")
    ]
    assert read(tmp_path, "path,text\n0/b.jpg,hat\n")[0].kind == ""


def test_excels_first_line_says_what_separates_cells(tmp_path: Path) -> None:
    assert read(tmp_path, "sep=;\r\npath;text\r\n0/b.jpg;hat\r\n") == [Caption(3, "", "0/b.jpg", "hat")]
    assert read(tmp_path, "sep=^\npath^text\n0/b.jpg^hat\n") == [Caption(3, "", "0/b.jpg", "hat")]
    assert read(tmp_path, "sep=\t\r\npath\ttext\r\n0/b.jpg\that\r\n") == [Caption(3, "", "0/b.jpg", "hat")]
    assert read(tmp_path, '"sep=;"\npath;text\n0/b.jpg;hat\n') == [Caption(3, "", "0/b.jpg", "hat")]


def test_a_header_of_several_lines_is_one_row(tmp_path: Path) -> None:
    text = '"long\nnote";path;text\nx;0/b.jpg;hat\n'
    assert read(tmp_path, text) == [Caption(3, "", "0/b.jpg", "hat")]


def test_empty_rows_and_cells_of_spreadsheets_are_no_rows(tmp_path: Path) -> None:
    text = "\npath;text;note\n0/a.jpg;hat\n;;\n\n0/b.jpg;cap;;;\n"
    assert read(tmp_path, text) == [Caption(3, "", "0/a.jpg", "hat"), Caption(6, "", "0/b.jpg", "cap")]


def test_a_text_of_several_lines_is_one_row(tmp_path: Path) -> None:
    text = 'path,text\n0/a.jpg,"first, second\nthird, fourth"\n0/b.jpg,hat\n'
    rows = [Caption(2, "", "0/a.jpg", "first, second\nthird, fourth"), Caption(4, "", "0/b.jpg", "hat")]
    assert read(tmp_path, text) == rows


def test_blanks_before_quotes_are_no_part_of_cells(tmp_path: Path) -> None:
    text = 'path, text\n0/a.jpg, "red, wide door"\n'
    assert read(tmp_path, text) == [Caption(2, "", "0/a.jpg", "red, wide door")]


def test_the_encoding_is_said_where_nothing_but_likelihood_tells_it(tmp_path: Path) -> None:
    path = tmp_path / "captions.csv"
    path.write_bytes("path;text\n0/a.jpg;hat\n0/b.jpg;grüne Tür\n".encode("cp1252"))
    (remark,) = read_captions(path).remarks
    assert "is not UTF-8 and was read as Windows-1252, so that line 3 reads '0/b.jpg grüne Tür'" in remark
    path.write_text("path;text\n0/b.jpg;grüne Tür\n", encoding="utf-8")
    assert read_captions(path).remarks == []


def test_letters_beyond_ascii_in_other_columns_need_no_remark(tmp_path: Path) -> None:
    path = tmp_path / "captions.csv"
    for text in ("path;text;Größe\n0/a.jpg;hat;7\n", "path;text;note\n0/a.jpg;hat;schön\n"):
        path.write_bytes(text.encode("cp1252"))
        assert read_captions(path).rows == [Caption(2, "", "0/a.jpg", "hat")]
        assert read_captions(path).remarks == []


def with_line(number: int, line: str, last: str = "") -> str:
    lines = ["path,text", *(f"0/{n}.jpg,text {n}" for n in range(2, 400))]
    lines[number - 1] = line
    return "\n".join([*lines, *filter(None, [last])]) + "\n"


@pytest.mark.parametrize(
    ("line", "last"),
    [
        ('0/x.jpg,"best" shoes', ""),
        ('0/x.jpg,"best shoes', ""),
        ('0/x.jpg,"best shoes', '0/z.jpg,"good, one"'),
        ('0/x.jpg,"best shoes', '0/z.jpg,screen of 15"'),
    ],
    ids=["goes on", "never closed", "closed by an opening one", "closed by an inch"],
)
def test_a_broken_quote_names_the_line_where_it_opens(tmp_path: Path, line: str, last: str) -> None:
    with pytest.raises(
        InputError, match=r"quote that opens on line 151 of .*label.human.path.* written twice"
    ):
        read(tmp_path, with_line(151, line, last))


def test_too_many_or_too_few_cells_name_the_line(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"expected 2 cells on line 151 of .*, found 3; a text that holds ',' stands"
    ):
        read(tmp_path, with_line(151, "0/x.jpg,red,wide"))
    with pytest.raises(InputError, match=r"expected 2 cells on line 151 of .*, found 1"):
        read(tmp_path, with_line(151, "0/x.jpg"))
    with pytest.raises(
        InputError, match=r"line 2 of .*, found 3; .* and every column has a name in the first"
    ):
        read(tmp_path, "path,text,\n0/x.jpg,red, wide door\n")


def test_a_cell_that_is_too_long_is_not_called_a_quote(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"at most 131,072 characters in the row from line 151 of .* a text of that"
    ):
        read(tmp_path, with_line(151, "0/x.jpg," + "word " * 30_000))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "file,text\na,b\n",
            "expected the columns path,text or image_id,text .* found file,text; name these two so",
        ),
        ("", "found an empty file"),
        ("path,text\n", "found only a header"),
        ("path,text,Text\na,b,c\n", "expected one column text"),
        ("path,text,kind,KIND\na,b,c,d\n", "expected one column kind"),
    ],
)
def test_a_header_that_does_not_do_is_one_sentence(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read(tmp_path, text)


def test_a_file_that_cannot_be_read_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"label.human.path.*, found no such file"):
        read_captions(tmp_path / "none.csv")
    with pytest.raises(InputError, match="found: Is a directory"):
        read_captions(tmp_path)
