"""How a sheet of pictures is drawn: rows of images with headings and captions, in the colours of the theme."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image, ImageDraw

from text2image.base.console import one_line
from text2image.pages.sheets.fonts import font
from text2image.pages.sheets.marks import Mark, draw_marks
from text2image.pages.theme import AGAINST, CARD, INK, PAPER, QUIET, RELEVANT, RULE, SHARE

CELL = 176  # pixels: the side of the square that a picture is fitted into
LOW = 52  # pixels: the least height of a row
GAP = 12
MARGIN = 28
FRAME = 4
INSET = FRAME + 2  # pixels between the edge of a picture's place and the picture


class Bar(NamedTuple):
    """A number that is drawn as a bar, from ``zero`` to ``end``: in [0, 1], from the left to the right of its room."""

    name: str
    figure: str
    zero: float
    end: float


class Cell(NamedTuple):
    """A picture with a caption below it; a relevant one is framed and ticked. No picture: an empty place.

    ``columns`` is how many columns of the sheet it is wide; ``marks`` are drawn on it, in pixels of the image. Below the
    caption stand ``bars``, a line each, and then ``notes``, each broken into lines.
    """

    image: Image.Image | None
    caption: str = ""
    relevant: bool = False
    columns: int = 1
    marks: Sequence[Mark] = ()
    bars: Sequence[Bar] = ()
    notes: Sequence[str] = ()


class Strip(NamedTuple):
    """A row of pictures under a heading; a wider gap stands before the pictures whose places ``apart`` names.

    ``height`` is that of the pictures' places in pixels.
    """

    heading: str
    detail: str
    cells: Sequence[Cell]
    apart: Sequence[int] = ()
    caption_lines: int = 1
    height: int = CELL


def in_rows(
    cells: Sequence[Cell], a_row: int, heading: str = "", detail: str = "", **more: Any
) -> list[Strip]:
    """Return pictures in strips of ``a_row``, the first under the heading; ``more``: other fields of a strip."""
    rows = range(0, len(cells), a_row)
    return [Strip("" if row else heading, detail, cells[row : row + a_row], **more) for row in rows]


TITLE, HEADING, DETAIL, CAPTION, NOTE = (26, True), (18, True), (15, False), (14, False), (12, False)
STRIP_HEAD, LINE = 52, 19
NOTE_LINES = 3  # of one note at most
BAR_HEIGHT, BAR_NAME, BAR_FIGURE = 9, 58, 42  # pixels: of a bar, and of the room for its name and its figure


class Sheet(NamedTuple):
    """What a sheet shows: its title, how to read it, and strips of pictures one below the other."""

    title: str
    subtitle: str
    strips: Sequence[Strip]


def draw_sheet(sheet: Sheet) -> Image.Image:
    """Return the sheet as an RGB image; one without strips says that there is nothing to show."""
    strips = sheet.strips or [Strip("nothing to show", "", [])]
    widths = [
        sum(_width(cell) + GAP for cell in strip.cells) + len(strip.apart) * 2 * GAP for strip in strips
    ]
    width = max(2 * MARGIN + max(widths) - GAP, 760)
    room = width - 2 * MARGIN
    head = MARGIN + 76
    heights = [_strip_height(strip) for strip in strips]
    page = Image.new("RGB", (width, head + sum(heights) + MARGIN // 2), PAPER)
    draw = ImageDraw.Draw(page)
    draw.text((MARGIN, MARGIN), _fit(sheet.title, TITLE, room), fill=INK, font=font(*TITLE))
    draw.text((MARGIN, MARGIN + 38), _fit(sheet.subtitle, DETAIL, room), fill=QUIET, font=font(*DETAIL))
    for index, strip in enumerate(strips):
        _draw_strip(page, strip, head + sum(heights[:index]))
    return page


def save_sheet(path: Path, sheet: Sheet) -> None:
    """Draw a sheet and write it to ``path``, making its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draw_sheet(sheet).save(path)


def low_enough(cells: Sequence[Cell]) -> int:
    """Return the height in pixels of a row in which no picture leaves more than it needs: banners make low rows."""
    heights = [fitting(cell.image.size, _width(cell) - 2 * INSET, CELL)[1] for cell in cells if cell.image]
    return min(CELL, max([LOW, *(height + 2 * INSET for height in heights)]))


def _width(cell: Cell) -> int:
    return cell.columns * (CELL + GAP) - GAP


def _strip_height(strip: Strip) -> int:
    below = max([strip.caption_lines, *(strip.caption_lines + _lines_below(cell) for cell in strip.cells)])
    return (STRIP_HEAD if strip.heading else GAP) + strip.height + 7 + LINE * below + 2 * GAP


def _lines_below(cell: Cell) -> int:
    """Return how many lines a cell needs below its caption."""
    return len(cell.bars) + sum(len(_note(note, _width(cell))) for note in cell.notes)


def _note(note: str, width: int) -> list[str]:
    return _wrap(note, NOTE, width - 4, NOTE_LINES)


def _draw_strip(page: Image.Image, strip: Strip, top: int) -> None:
    draw = ImageDraw.Draw(page)
    room = page.width - 2 * MARGIN
    draw.line((MARGIN, top - GAP // 2, page.width - MARGIN, top - GAP // 2), fill=RULE, width=1)
    if strip.heading:
        draw.text((MARGIN, top + 2), _fit(strip.heading, HEADING, room), fill=INK, font=font(*HEADING))
        draw.text((MARGIN, top + 26), _fit(strip.detail, DETAIL, room), fill=QUIET, font=font(*DETAIL))
    left = MARGIN
    for place, cell in enumerate(strip.cells):
        left += 2 * GAP * (place in strip.apart)
        _draw_cell(page, cell, left, top + (STRIP_HEAD if strip.heading else GAP), strip)
        left += _width(cell) + GAP


def _draw_cell(page: Image.Image, cell: Cell, left: int, top: int, strip: Strip) -> None:
    draw = ImageDraw.Draw(page)
    width, height = _width(cell), strip.height
    box = (left, top, left + width - 1, top + height - 1)
    draw.rectangle(box, fill=CARD)
    if cell.image is None:
        return
    size = fitting(cell.image.size, width - 2 * INSET, height - 2 * INSET)
    picture = cell.image.resize(size, Image.Resampling.LANCZOS)
    if cell.marks:
        picture = draw_marks(picture, cell.marks, size[0] / cell.image.width)
    at = (left + (width - picture.width) // 2, top + (height - picture.height) // 2)
    page.paste(picture, at)
    if cell.relevant:
        draw.rectangle(box, outline=RELEVANT, width=FRAME)
    caption = f"✓ {cell.caption}" if cell.relevant else cell.caption
    ink = RELEVANT if cell.relevant else QUIET
    for number, line in enumerate(_wrap(caption, CAPTION, width, strip.caption_lines)):
        draw.text((left + 2, top + height + 4 + number * LINE), line, fill=ink, font=font(*CAPTION))
    line_top = top + height + 4 + LINE * strip.caption_lines
    for bar in cell.bars:
        _draw_bar(draw, bar, left + 2, line_top, width - 4)
        line_top += LINE
    for line in (line for note in cell.notes for line in _note(note, width)):
        draw.text((left + 2, line_top + 1), line, fill=QUIET, font=font(*NOTE))
        line_top += LINE


def _draw_bar(draw: ImageDraw.ImageDraw, bar: Bar, left: int, top: int, width: int) -> None:
    """Draw the bar between its name and its figure, from a line at its zero."""
    draw.text((left, top + 1), _fit(bar.name, NOTE, BAR_NAME), fill=QUIET, font=font(*NOTE))
    figure = font(*NOTE).getlength(bar.figure)
    draw.text((left + width - figure, top + 1), bar.figure, fill=QUIET, font=font(*NOTE))
    first, last = left + BAR_NAME + 4, left + width - BAR_FIGURE
    zero, end = (round(first + place * (last - first)) for place in (bar.zero, bar.end))
    box = (min(zero, end), top + 4, max(zero, end), top + 4 + BAR_HEIGHT)
    draw.rectangle(box, fill=SHARE if end >= zero else AGAINST)
    draw.line((zero, top + 2, zero, top + 6 + BAR_HEIGHT), fill=QUIET)


def fitting(size: tuple[int, int], width: int, height: int) -> tuple[int, int]:
    """Return the ``size`` of an image scaled down or up so that it just fits into ``width`` and ``height`` pixels."""
    scale = min(width / size[0], height / size[1])
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _wrap(text: str, style: tuple[int, bool], room: int, lines: int) -> list[str]:
    """Return ``text`` on at most ``lines`` lines of ``room`` pixels, broken between words, the last shortened."""
    wrapped: list[str] = []
    words = text.split()
    while words and len(wrapped) < lines - 1:
        count = 1
        while count < len(words) and font(*style).getlength(" ".join(words[: count + 1])) <= room:
            count += 1
        wrapped.append(_fit(" ".join(words[:count]), style, room))
        words = words[count:]
    return [*wrapped, _fit(" ".join(words), style, room)] if words else wrapped


def _fit(text: str, style: tuple[int, bool], room: int) -> str:
    """Return ``text`` shortened with an ellipsis to at most ``room`` pixels; what would not be seen is escaped."""
    face = font(*style)
    line = one_line(re.sub(r"\s", " ", text[:400]), 400)
    if face.getlength(line) <= room:
        return line
    while line and face.getlength(line + "…") > room:
        line = line[:-1]
    return line.rstrip() + "…"
