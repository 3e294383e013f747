"""The file of judgements: what people and models said of images found for queries, tracked by git."""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from filelock import FileLock

from text2image.base.console import InputError, one_line, say
from text2image.base.store import cache_root, fingerprint
from text2image.formats.files import atomic_write
from text2image.formats.tables import guard, unguard

BYTE_ORDER_MARK = "\ufeff"  # with which some spreadsheets begin a file
RELEVANCES = ("0", "1", "2", "3")
DAMAGE_LISTED = 3  # rows that cannot be used that a sentence names
NOT_UTF8 = re.compile("[\ud800-\udfff]")


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


class Damage(NamedTuple):
    """A row of the file that cannot be used, by the line on which it begins, and why."""

    line: int
    reason: str


def read_judgements(path: Path) -> list[JudgementRow]:
    """Read all judgements, in the order in which they were made.

    A row that cannot be used is named on the console, once, and set aside: the others count, and it stays in the file.

    Raises:
        InputError: there is no such file, or it does not hold judgements at all: a column is missing.
    """
    rows, damaged = read_judgements_and_damage(path)
    if damaged and (sentence := damage_sentence(path, damaged)) not in _SAID:
        _SAID.add(sentence)
        say(sentence)
    return rows


_SAID: set[str] = set()


def read_judgements_and_damage(path: Path) -> tuple[list[JudgementRow], list[Damage]]:
    """Read all judgements, and say which rows of the file are none.

    Raises:
        InputError: as :func:`read_judgements`.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"expected a CSV file at {path}, found no such file") from None
    except OSError as error:
        raise InputError(f"expected a CSV file at {path}, found: {error.strerror or error}") from None
    rows, damaged = [], []
    for row in _parsed(path, _text(content)):
        if isinstance(row.value, JudgementRow):
            rows.append(row.value)
        else:
            damaged.append(Damage(row.first + 1, row.value))
    return rows, damaged


def damage_sentence(path: Path, damaged: Sequence[Damage]) -> str:
    """Say which rows of the file are set aside, and what to do; the first few by their lines."""
    listed = "; ".join(f"line {row.line}: {row.reason}" for row in damaged[:DAMAGE_LISTED])
    more = f"; and {len(damaged) - DAMAGE_LISTED:,} more" if len(damaged) > DAMAGE_LISTED else ""
    rows = (
        "1 row cannot be used and is"
        if len(damaged) == 1
        else f"{len(damaged):,} rows cannot be used and are"
    )
    return f"{path.as_posix()}: {rows} set aside, the others count ({listed}{more}); correct or delete what is on these lines"


class _Parsed(NamedTuple):
    """A row of the file: the lines that it takes, counted from 0, ``first`` to before ``end``; a judgement, or why it is none."""

    first: int
    end: int
    value: JudgementRow | str


def _parsed(path: Path, text: str) -> Iterator[_Parsed]:
    """Yield the rows below the header, blank lines left out.

    After a row that is no CSV (a quote that is not closed, say) the next begins on the next line.
    """
    lines = _lines(text)
    header, end, problem = _cells(lines, 0)
    if problem or not set(JudgementRow._fields) <= set(header):
        found = problem or one_line(", ".join(header)) or "an empty file"
        raise InputError(
            f"expected the columns {', '.join(JudgementRow._fields)} in {path}, found {found}"
        ) from None
    while end < len(lines):
        first, (cells, end, problem) = end, _cells(lines, end)
        if cells or problem:
            yield _Parsed(first, end, problem or _judgement(header, cells))


def _cells(lines: Sequence[str], first: int) -> tuple[list[str], int, str]:
    """Return the cells of the row that begins on a line, the line after it, and why it is no CSV; "" if it is."""
    reader = csv.reader((lines[number] for number in range(first, len(lines))), strict=True)
    try:
        cells = next(reader, [])
    except csv.Error as error:
        return [], first + 1, one_line(error)
    return cells, first + max(1, reader.line_num), ""


def _judgement(header: Sequence[str], cells: Sequence[str]) -> JudgementRow | str:
    """Return the judgement in a row, or why there is none."""
    if len(cells) != len(header):
        return f"{len(cells)} cells where {len(header)} are expected"
    if any(NOT_UTF8.search(cell) for cell in cells):
        return "not UTF-8"
    row = dict(zip(header, map(unguard, cells), strict=True))
    if row["relevance"] not in RELEVANCES:
        return f"a relevance of '{one_line(row['relevance'], 40)}' where 0, 1, 2 or 3 is expected"
    source, query, image_id, relevance, by, note = (row[column] for column in JudgementRow._fields)
    return JudgementRow(source, query, image_id, int(relevance), by, note)


def _lines(text: str) -> list[str]:
    """Return the lines of a text with their ends, as a file opened with ``newline=""`` has them."""
    return list(io.StringIO(text.removeprefix(BYTE_ORDER_MARK), newline=""))


def _text(content: bytes) -> str:
    """Return the text of a file, in which bytes that are not UTF-8 stand as lone surrogates and lose nothing."""
    return content.decode("utf-8", "surrogateescape")


def is_person(by: str) -> bool:
    """Say whether a judge is a person."""
    return not by.startswith("model:")


def read_if_any(path: Path) -> list[JudgementRow]:
    """Read all judgements; none where there is no file yet, or an empty one."""
    return read_judgements(path) if path.exists() and path.stat().st_size else []


def append_judgements(rows: Iterable[JudgementRow], path: Path) -> None:
    """Add rows at the end, all or none; what the file holds already keeps its bytes, rows that cannot be used included.

    Columns follow the file's header, line ends those of the file; what other processes add is not lost.

    Raises:
        InputError: the file does not hold judgements, or the disk does not take them.
        ValueError: a relevance is not one of the integers 0 to 3.
    """
    added = list(rows)
    for row in added:
        if type(row.relevance) is not int or str(row.relevance) not in RELEVANCES:  # True is 1 to Python
            raise ValueError(f"expected a relevance of 0, 1, 2 or 3, found {row.relevance!r}")
    with _locked(path):
        text = _checked_text(path) or ",".join(JudgementRow._fields) + "\n"
        header = next(csv.reader(_lines(text)))
        line_end = "\r\n" if text.partition("\n")[0].endswith("\r") else "\n"
        out = io.StringIO(newline="")
        writer = csv.DictWriter(out, header, restval="", lineterminator=line_end)
        writer.writerows(_guarded(row) for row in added)
        _write(path, text + ("" if text.endswith("\n") else line_end) + out.getvalue())


def take_back_last(source: str, by: str, path: Path) -> JudgementRow | None:
    """Remove the last row of a judge for a source and return it, or None; all other bytes stay.

    Raises:
        InputError: the file does not hold judgements, or may not be written.
    """
    with _locked(path):
        text = _checked_text(path)
        rows = [row for row in _parsed(path, text) if isinstance(row.value, JudgementRow)] if text else []
        for row in reversed(rows):
            judged = row.value
            if isinstance(judged, JudgementRow) and (judged.source, judged.by) == (source, by):
                lines = _lines(text)
                mark = BYTE_ORDER_MARK if text.startswith(BYTE_ORDER_MARK) else ""
                _write(path, mark + "".join(lines[: row.first] + lines[row.end :]))
                return judged
        return None


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Keep other processes from writing between a read and the write that builds on it."""
    folder = cache_root() / "locks"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / f"{fingerprint(str(path.resolve()))}.lock"):
            yield
    except OSError as error:
        raise InputError(
            f"expected a disk that takes what is written to {path} and {folder}, found: {error.strerror or error}; make room "
            "or allow it, and do the same again: what was kept before is there"
        ) from None


def _guarded(row: JudgementRow) -> dict[str, object]:
    """Return the cells of a row; queries are texts from anywhere, and no spreadsheet may run them."""
    cells = row._asdict().items()
    return {name: guard(cell) if isinstance(cell, str) else cell for name, cell in cells}


def _checked_text(path: Path) -> str:
    """Return the text of a file of judgements as it is, line ends and byte order mark included; "" for no file."""
    read_if_any(path)
    return _text(path.read_bytes()) if path.exists() else ""


def _write(path: Path, text: str) -> None:
    with atomic_write(path) as temporary:
        temporary.write_bytes(text.encode("utf-8", "surrogateescape"))
