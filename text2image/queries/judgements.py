"""The file of judgements: what people and models said of images found for queries, tracked by git."""

import csv
import io
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from filelock import FileLock

from text2image.base.console import InputError, one_line
from text2image.base.store import cache_root, fingerprint
from text2image.formats.files import write_text
from text2image.formats.tables import guard, read_csv

BYTE_ORDER_MARK = "\ufeff"  # with which some spreadsheets begin a file


class JudgementRow(NamedTuple):
    """A row of the file; of several rows for one image and query by the same judge the last counts.

    Attributes:
        source: the label source whose query it is.
        query: the query's text.
        image_id: the image judged.
        relevance: 0 not relevant, 1 marginally, 2 relevant, 3 exactly what was asked for.
        by: who judged: a person's name, or ``model:NAME``.
        note: anything worth keeping.
    """

    source: str
    query: str
    image_id: str
    relevance: int
    by: str
    note: str


def read_judgements(path: Path) -> list[JudgementRow]:
    """Read all judgements, in the order in which they were made.

    Raises:
        InputError: a column is missing, or a relevance is not 0, 1, 2 or 3.
    """
    rows = []
    for number, row in enumerate(read_csv(path, JudgementRow._fields), start=2):
        if row["relevance"] not in {"0", "1", "2", "3"}:
            raise InputError(
                f"expected a relevance of 0, 1, 2 or 3 in row {number} of {path}, found '{one_line(row['relevance'])}'"
            )
        source, query, image_id, relevance, by, note = (row[column] for column in JudgementRow._fields)
        rows.append(JudgementRow(source, query, image_id, int(relevance), by, note))
    return rows


def is_person(by: str) -> bool:
    """Say whether a judge is a person."""
    return not by.startswith("model:")


def read_if_any(path: Path) -> list[JudgementRow]:
    """Read all judgements; none where there is no file yet, or an empty one."""
    return read_judgements(path) if path.exists() and path.stat().st_size else []


def append_judgements(rows: Iterable[JudgementRow], path: Path) -> None:
    """Add rows at the end, all or none; what the file holds already keeps its bytes.

    Columns follow the file's header, line ends those of the file; what other processes add is not lost.

    Raises:
        InputError: the file does not hold judgements.
    """
    with _locked(path):
        text = _checked_text(path) or ",".join(JudgementRow._fields) + "\n"
        header = next(csv.reader(io.StringIO(text.removeprefix(BYTE_ORDER_MARK), newline="")))
        line_end = "\r\n" if text.partition("\n")[0].endswith("\r") else "\n"
        out = io.StringIO(newline="")
        writer = csv.DictWriter(out, header, restval="", lineterminator=line_end)
        writer.writerows(_guarded(row) for row in rows)
        write_text(path, text + ("" if text.endswith("\n") else line_end) + out.getvalue())


def take_back_last(source: str, by: str, path: Path) -> JudgementRow | None:
    """Remove the last row of a judge for a source and return it, or None; all other bytes stay.

    Raises:
        InputError: the file does not hold judgements.
    """
    with _locked(path):
        rows = read_if_any(path)
        last = max((i for i, row in enumerate(rows) if (row.source, row.by) == (source, by)), default=None)
        if last is None:
            return None
        write_text(path, _without_row(_checked_text(path), last))
        return rows[last]


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Keep other processes from writing between a read and the write that builds on it."""
    folder = cache_root() / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / f"{fingerprint(str(path.resolve()))}.lock"):
        yield


def _guarded(row: JudgementRow) -> dict[str, object]:
    """Return the cells of a row; queries are texts from anywhere, and no spreadsheet may run them."""
    cells = row._asdict().items()
    return {name: guard(cell) if isinstance(cell, str) else cell for name, cell in cells}


def _checked_text(path: Path) -> str:
    """Return the text of a sound file as it is, line ends and byte order mark included; "" for no file."""
    read_if_any(path)
    return path.read_bytes().decode("utf-8") if path.exists() else ""


def _without_row(text: str, number: int) -> str:
    """Return CSV text without a row, counted from 0 below the header, blank lines not counted."""
    lines = list(io.StringIO(text, newline=""))
    reader = csv.reader(lines)
    start, row = 0, -1
    for cells in reader:
        if cells and row == number:
            return "".join(lines[:start] + lines[reader.line_num :])
        start, row = reader.line_num, row + bool(cells)
    raise IndexError(number)
