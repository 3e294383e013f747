"""CSV files: the tables that pass between stages and to people."""

import csv
import io
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from text2image.base.console import InputError, one_line
from text2image.base.memory import no_collection
from text2image.formats.files import write_text

Row = dict[str, str]

FORMULA = re.compile(r"'*[=+\-@\t\r]")  # what a spreadsheet may run; the apostrophes are ours
MISREAD = re.compile(rf"^{FORMULA.pattern}|\r", re.MULTILINE)  # in cells, a line each: some may need care
GUARDED = re.compile(r"'+[=+\-@\t\r]")
ROWS = 1000  # that are looked at together
NUMBER = re.compile(r"[+-]?\d+(\.\d*)?([eE][+-]?\d+)?")


class Number(NamedTuple):
    """What a column of numbers holds: ``name`` says it in a sentence, ``takes`` of a cell, or raises a ``ValueError``."""

    name: str
    takes: Callable[[str], bool]


WHOLE_NUMBER = Number("a whole number", lambda cell: isinstance(int(cell), int))
FINITE = Number("a finite number", lambda cell: math.isfinite(float(cell)))
POSITIVE = Number("a finite number above 0", lambda cell: 0 < float(cell) < math.inf)
IF_KNOWN = Number("a finite number, or nothing", lambda cell: not cell or math.isfinite(float(cell)))


def guard(cell: str) -> str:
    """Return a cell that is text in every spreadsheet: what could be a formula gets an apostrophe.

    :func:`unguard` takes it away again. Numbers and all other texts stay as they are.

    Source: OWASP, CSV Injection.
    """
    return f"'{cell}" if FORMULA.match(cell) and not NUMBER.fullmatch(cell) else cell


def unguard(cell: str) -> str:
    """Return what :func:`guard` was given."""
    return cell[1:] if cell.startswith("'") and GUARDED.match(cell) else cell


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a CSV with a header and ``\\n`` line ends; quotes and guards what a reader could misread."""
    out = io.StringIO(newline="")
    plain = csv.writer(out, lineterminator="\n")
    quoted = csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_ALL)
    plain.writerow(columns)
    remaining = iter(rows)
    while some := list(islice(remaining, ROWS)):
        texts = [cell for row in some for cell in row if isinstance(cell, str)]
        if not MISREAD.search("\n".join(texts)):
            plain.writerows(some)
            continue
        for row in some:
            cells = [guard(cell) if isinstance(cell, str) else cell for cell in row]
            bare_return = any(isinstance(cell, str) and "\r" in cell for cell in cells)
            (quoted if bare_return else plain).writerow(cells)
    write_text(path, out.getvalue())


def chart_text(text: str) -> str:
    """Return ``text`` for a table that ``dvc plots`` draws: DVC puts it into a page's script unescaped."""
    return text.replace("<", "‹")


def read_csv(
    path: Path,
    columns: Sequence[str],
    *,
    key: str | None = None,
    numbers: Mapping[str, Number] | None = None,
) -> list[Row]:
    """Read a CSV that has at least ``columns``.

    Args:
        path: of the file.
        columns: that it must have.
        key: the params key that named the file.
        numbers: what columns of numbers hold, where they are there. Python reads ``nan`` and ``inf`` as numbers, which compare
            with none.

    Raises:
        InputError: no such file, not UTF-8, not CSV, a column is missing, a row has more or
            fewer cells than the header, or a cell is not such a number.
    """
    header, rows = _read_cells(path, columns, key, numbers)
    return [dict(zip(header, map(unguard, cells), strict=True)) for cells in rows]


def read_columns(path: Path, columns: Sequence[str]) -> dict[str, list[str]]:
    """Read a CSV that has at least ``columns``, a list of cells for each of its columns.

    For tables with a row an image: it takes a third of the time of :func:`read_csv`, which raises the same errors.
    """
    header, rows = _read_cells(path, columns)
    cells = zip(*rows, strict=True) if rows else ((),) * len(header)
    return {
        name: [unguard(cell) if cell.startswith("'") else cell for cell in column]
        for name, column in zip(header, cells, strict=True)
    }


def is_number(cell: str, number: Number) -> bool:
    """Return whether a cell is such a number.

    >>> is_number("0.5", FINITE), is_number("nan", FINITE), is_number("", IF_KNOWN), is_number("1.5", WHOLE_NUMBER)
    (True, False, True, False)
    """
    try:
        return number.takes(cell)
    except ValueError:
        return False


@contextmanager
def as_written(path: Path, expected: str) -> Iterator[None]:
    """Say of a file that passes between stages, and is read in the block, that it is not as a stage wrote it.

    Args:
        expected: what it should hold, for the message.

    Raises:
        InputError: the block raised what Python raises of a missing file, or of cells that are no numbers or no JSON.
    """
    try:
        yield
    except InputError:
        raise
    except (OSError, ValueError, TypeError, ArithmeticError, RecursionError) as error:
        found = error.strerror if isinstance(error, OSError) else error
        raise InputError(
            f"expected {expected} in {path}, found: {one_line(found)}; run `dvc repro`, which makes it again"
        ) from None


def _read_cells(
    path: Path, columns: Sequence[str], key: str | None = None, numbers: Mapping[str, Number] | None = None
) -> tuple[list[str], list[list[str]]]:
    """Return the header and the rows of a CSV, cells as they are in the file."""
    where = f"{path}{f' (params key {key})' if key else ''}"
    try:
        with path.open(encoding="utf-8-sig", newline="") as file, no_collection():
            reader = csv.reader(file, strict=True)
            header = next(reader, [])
            missing = [column for column in columns if column not in header]
            if missing:
                raise InputError(
                    f"expected the columns {', '.join(columns)} in {where}, "
                    f"found {one_line(', '.join(header)) or 'an empty file'}"
                )
            checks = [
                (header.index(name), number) for name, number in (numbers or {}).items() if name in header
            ]
            rows = []
            for cells in filter(None, reader):
                if len(cells) != len(header):
                    raise InputError(
                        f"expected {len(header)} cells on line {reader.line_num} of {where}, found {len(cells)}"
                    )
                for place, number in checks:
                    if not is_number(cells[place], number):
                        raise InputError(
                            f"expected {number.name} in the column {one_line(header[place])} on line {reader.line_num} of {where}, "
                            f"found '{one_line(cells[place], 80)}'; what wrote the file makes it again (`dvc repro` a file of data/)"
                        )
                rows.append(cells)
            return header, rows
    except FileNotFoundError:
        raise InputError(f"expected a CSV file at {where}, found no such file") from None
    except (UnicodeDecodeError, csv.Error, IsADirectoryError) as error:
        raise InputError(f"expected a UTF-8 CSV file at {where}, found: {one_line(error)}") from None
