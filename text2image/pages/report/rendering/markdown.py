"""A report as Markdown for a pull request, as `cml comment create` takes it: pictures are files beside it.

CML uploads every picture that is named by a relative path, and GitHub takes 65,536 characters a comment, so
this is a summary: all tables and charts, and the first sheets of queries.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from typing import NamedTuple

from text2image.base.console import one_line
from text2image.pages.report.blocks import Block, Cell, Chart, Report, Score, Section, SheetBlock, Table
from text2image.pages.report.rendering.drawing import png, small
from text2image.pages.report.sections import DIFFERENCES, QUERIES

FOLDER = "pictures"
WIDTH = 900  # pixels of a sheet
SHEETS = 3  # of each kind of queries
ROWS = 40
"""Longer tables are cut, and say so."""

BREAK = "&#8203;"
"""A space without width: the text looks the same, and is no mention, link or number of an issue."""

SPECIAL = re.compile(r"[\\`*\[\]|~]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
LIVE = re.compile(r"@(?!\d+\b)|(?<!\w)@|(?<!&)#|\$|:(?=/)|:(?=\w+:)|www(?=\.)", re.IGNORECASE)
START = re.compile(r"^(?=[-+=](?!\d))|^(\d+)(?=[.)](?:\s|$))")  # of a list, a heading, a rule


class MarkdownReport(NamedTuple):
    """The Markdown, and ``{relative path: bytes}`` of the pictures that it shows."""

    text: str
    pictures: dict[str, bytes]


def escape(text: str, limit: int = 400) -> str:
    """Return ``text`` as one line of Markdown that shows it and does nothing else.

    HTML, emphasis, code, links, table cells, lists, mentions (``@``), issues (``#``), mathematics (``$``),
    emoji and addresses are all text.
    """
    line = one_line(" ".join(text.split()), limit)
    line = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    line = SPECIAL.sub(lambda match: f"\\{match[0]}", line)
    line = LIVE.sub(lambda match: f"{match[0]}{BREAK}", line)
    return START.sub(lambda match: (match[1] or "") + "\\", line)


def markdown(report: Report) -> MarkdownReport:
    """Return the report as Markdown with its pictures."""
    pictures: dict[str, bytes] = {}
    lines = [f"# {escape(report.title)}", "", escape(report.subtitle), ""]
    for section in report.sections:
        sheets = [block for block in section.blocks if isinstance(block, SheetBlock)]
        kept = sheets[:SHEETS] if section.title in (DIFFERENCES, QUERIES) else []
        blocks = [block for block in section.blocks if not isinstance(block, SheetBlock)] + kept
        if blocks or not section.blocks:
            lines += _section(section, blocks, pictures)
    lines += ["", "All sheets of pictures are in `report.html`.", ""]
    return MarkdownReport("\n".join(lines), pictures)


def _section(section: Section, blocks: Sequence[Block], pictures: dict[str, bytes]) -> Iterator[str]:
    folded = section.folded or any(isinstance(block, Chart | SheetBlock) for block in blocks)
    opening = ["<details>", f"<summary>{section.title}</summary>"] if folded else [f"## {section.title}"]
    yield from [*opening, ""]
    if section.intro:
        yield from [section.intro, ""]
    for block in blocks:
        heading = getattr(block, "heading", "")
        yield from [f"### {escape(heading)}", ""] if heading else []
        yield from _block(block, pictures)
        yield ""
    if folded:
        yield from ["</details>", ""]


def _block(block: Block, pictures: dict[str, bytes]) -> Iterator[str]:
    if isinstance(block, Table):
        yield from _table(block)
    elif isinstance(block, Chart):
        if block.svg:
            yield from _picture(block.title, f"{block.name}.png", png(block.svg), pictures)
        else:
            yield escape(block.title)
    elif isinstance(block, SheetBlock):
        for revision, full in block.pictures:
            title, data = f"{block.path}, {revision}", small(full, "JPEG", WIDTH)
            yield from _picture(title, f"{PurePosixPath(block.path).with_suffix('.jpg')}", data, pictures)
    else:
        yield from (f"- {escape(sentence)}" for sentence in block.sentences)
    for problem in getattr(block, "problems", ()):
        yield from ["", f"⚠ {escape(problem)}"]


def _table(table: Table) -> Iterator[str]:
    yield _row(table.columns)
    yield "|" + "|".join(" ---: " if i in table.figures else " --- " for i in range(len(table.columns))) + "|"
    yield from (_row(row) for row in table.rows[:ROWS])
    if len(table.rows) > ROWS:
        yield from ["", f"… and {len(table.rows) - ROWS} more rows in `report.html`."]
    if table.note:
        yield from ["", escape(table.note)]


def _row(cells: Sequence[Cell]) -> str:
    return f"| {' | '.join(_cell(cell) for cell in cells)} |"


def _cell(cell: Cell) -> str:
    if not isinstance(cell, Score):
        return escape(cell)
    chance = "" if cell.chance is None else f"({cell.chance:.2f})"
    return " ".join(filter(None, (f"{cell.value:.2f}", cell.interval, chance)))


def _picture(title: str, name: str, data: bytes, pictures: dict[str, bytes]) -> Iterator[str]:
    """Yield a picture under a path of plain characters: neither CML nor Markdown takes spaces."""
    plain = re.sub(r"[^A-Za-z0-9.]+", "-", name.removeprefix("plots/")).strip("-.")
    path = f"{FOLDER}/{len(pictures) + 1:02d}-{plain}"
    pictures[path] = data
    yield from [f"![{escape(title)}]({path})", ""]
