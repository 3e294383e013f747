"""Captions files as people have them: what separates cells, how columns are written, and which line is broken.

A file is a table of text whose header names ``text`` and ``path`` or ``image_id`` in any case, and may name ``kind``. The header also tells
what separates the cells: the one character that makes these names of it. So nothing has to be guessed from
frequencies, as csv.Sniffer and pandas (``sep=None``) do.
"""

import csv
import io
import re
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from text2image.base.console import InputError, one_line
from text2image.formats.tables import unguard
from text2image.labels.human.encoding import CODE_PAGES, decode

KEY = "label.human.path"
DELIMITERS = (",", ";", "\t", "|")
EXCEL_LINE = re.compile(
    r'("?)sep=(.)\1', re.IGNORECASE
)  # the first line that Excel reads and writes in some countries
QUOTES = "a quote within a text is written twice, and the text in quotes"
IMAGE_ID = re.compile(r"[0-9a-f]{16}")


class Caption(NamedTuple):
    """A row of a captions file.

    Attributes:
        line: of the file, from 1; of a row with line breaks in it, the first.
        image_id, path: one may be empty; as the file writes them.
        text: as the file writes it.
        kind: what kind of text it is, as the file writes it; "" where it has no such column.
    """

    line: int
    image_id: str
    path: str
    text: str
    kind: str = ""


class CaptionsFile(NamedTuple):
    """The rows of a captions file, and a sentence for each thing that a person should check."""

    rows: list[Caption]
    remarks: list[str]


def read_captions(path: Path) -> CaptionsFile:
    """Read a captions file; empty lines are no rows.

    Raises:
        InputError: no such file, an encoding that is not known for sure, no column ``text``, neither ``path`` nor
            ``image_id``, no row, a row of too many or too few cells, or a quote that is not closed.
    """
    where = f"{path} (params key {KEY})"
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"expected a CSV file at {where}, found no such file") from None
    except OSError as error:
        raise InputError(f"expected a CSV file at {where}, found: {one_line(error.strerror)}") from None
    text, encoding = decode(content, where)
    rows = list(_captions(text, where))
    if not rows:
        raise InputError(f"expected rows of labels in {where}, found only a header")
    return CaptionsFile(rows, _remarks(encoding, rows, where))


def _remarks(encoding: str, rows: Sequence[Caption], where: str) -> list[str]:
    """Say from which code page the file was read, with a row that shows whether that is right.

    No row shows it where it matters to none: other columns alone hold letters beyond ASCII.
    """
    beyond = (row for row in rows if not f"{row.path}{row.text}".isascii())
    if encoding not in CODE_PAGES or (shown := next(beyond, None)) is None:
        return []
    return [
        f"{where} is not UTF-8 and was read as {CODE_PAGES[encoding]}, so that line {shown.line} reads "
        f"'{one_line(f'{shown.path} {shown.text}', 80)}'"
    ]


def _captions(text: str, where: str) -> Iterator[Caption]:
    lines = io.StringIO(text.lstrip("\ufeff"), newline="")
    delimiter, header, number = _header(lines, where)
    suffixes: set[str] = set()
    for line, cells in _rows(lines, delimiter, len(header), number, where):
        row = dict(zip(header, map(unguard, cells), strict=False))
        if "text" not in row:
            raise InputError(f"expected {len(header)} cells on line {line} of {where}, found {len(cells)}")
        image_id, path = (row.get(name, "").strip() for name in ("image_id", "path"))
        caption = Caption(line, image_id, path, row["text"], row.get("kind", ""))
        suffixes.add(Path(caption.path).suffix.lower())
        if inner := _row_inside(cells, delimiter, suffixes - {""}):
            raise InputError(
                f"expected the quote that opens on line {line} of {where} to close on that line, found that it holds "
                f"the row {one_line(inner, 60)!r}; {QUOTES}"
            )
        yield caption


def _header(lines: io.StringIO, where: str) -> tuple[str, list[str], int]:
    """Return what separates the cells, the names of the columns in lower case, and the header's line."""
    delimiters: Sequence[str] = DELIMITERS
    number, start, line = 1, lines.tell(), lines.readline()
    while line and (not line.strip() or EXCEL_LINE.fullmatch(line.rstrip("\r\n"))):
        if found := EXCEL_LINE.fullmatch(line.rstrip("\r\n")):
            delimiters = (found[2],)
        number, start, line = number + 1, lines.tell(), lines.readline()
    for delimiter in delimiters:
        lines.seek(start)
        reader = csv.reader(lines, delimiter=delimiter, strict=True)
        header = _names(reader)
        if "text" in header and {"path", "image_id"} & set(header):
            if twice := {name for name in ("text", "path", "image_id", "kind") if header.count(name) > 1}:
                raise InputError(
                    f"expected one column {min(twice)} in {where}, found {header.count(min(twice))}"
                )
            return delimiter, header, number + reader.line_num - 1
    raise InputError(
        f"expected the columns path,text or image_id,text in the first line of {where}, "
        f"found {one_line(line.strip()) or 'an empty file'}; name these two so, others may stay"
    )


def _names(rows: Iterator[list[str]]) -> list[str]:
    """Return the names of the columns in lower case, up to the last that has one; none of a broken header."""
    try:
        names = [name.strip().lower() for name in next(rows, [])]
    except csv.Error:
        return []
    while names and not names[-1]:
        names.pop()
    return names


def _rows(
    lines: io.StringIO, delimiter: str, width: int, line: int, where: str
) -> Iterator[tuple[int, list[str]]]:
    """Yield ``(line, cells)`` of rows that are not empty; ``line`` is the number of the header's."""
    start = lines.tell()
    blank_before_quote = f'{delimiter} "' in lines.read()
    lines.seek(start)
    reader = csv.reader(lines, delimiter=delimiter, strict=True, skipinitialspace=blank_before_quote)
    while True:
        first = line + reader.line_num + 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            if "field limit" in str(error):
                raise InputError(
                    f"expected cells of at most {csv.field_size_limit():,} characters in the row from line {first} of "
                    f"{where} on, found a longer one: a text of that length, or a quote that is not closed; {QUOTES}"
                ) from None
            raise InputError(
                f"expected the quote that opens on line {first} of {where} to close at the end of its cell, "
                f"found: {one_line(error)}; {QUOTES}"
            ) from None
        if cells is None:
            return
        if not any(map(str.strip, cells)):
            continue
        if any(map(str.strip, cells[width:])):
            raise InputError(
                f"expected {width} cells on line {first} of {where}, found {len(cells)}; a text that holds "
                f"{delimiter!r} stands in quotes, and every column has a name in the first line"
            )
        yield first, cells[:width]


def _row_inside(cells: Sequence[str], delimiter: str, suffixes: Collection[str]) -> str | None:
    """Return a line of a cell that is a row by its path or id: a quote was closed by the next one far below."""
    for cell in cells:
        for inner in cell.splitlines()[1:]:
            parts = [part.strip() for part in inner.split(delimiter)]
            if len(parts) > 1 and any(
                IMAGE_ID.fullmatch(part) or Path(part).suffix.lower() in suffixes for part in parts
            ):
                return inner
    return None
