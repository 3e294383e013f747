"""Rendering of a planned rendition: the picture and where its texts stand."""

import io
import math
from collections.abc import Sequence
from typing import NamedTuple

from PIL import Image, ImageDraw

from text2image.sample.alterations import UNTOUCHED, retouch
from text2image.sample.colour import (
    INK,
    MIN_CONTRAST,
    WHITE,
    Colour,
    Palette,
    contrast,
    readable,
    worst_contrast,
)
from text2image.sample.cutouts import load_cutout
from text2image.sample.layouts import Box, Column, Size, pixels
from text2image.sample.picture import (
    fit_product,
    paint_ground,
    paste_disc,
    paste_product,
    paste_rounded,
    turn_hue,
)
from text2image.sample.plan import TURNABLE, Design, Rendition
from text2image.sample.text import (
    FAMILIES,
    LINE_HEIGHT,
    Face,
    SetText,
    TextBox,
    fit_column,
    gap,
    load_font,
    text_width,
)

MAX_HIDDEN = 70  # mean opacity, in 0..255, of the product behind a badge


class Creative(NamedTuple):
    """A rendered rendition; ``texts`` are in reading order."""

    image: Image.Image
    texts: list[TextBox]


def alter(creative: Creative, rendition: Rendition) -> Creative:
    """Return the near-duplicate that ``rendition`` makes of the drawn picture, or the picture itself."""
    return creative if rendition.touch == UNTOUCHED else Creative(*retouch(*creative, rendition.touch))


def drawn_kinds(design: Design, texts: dict[str, str]) -> set[str]:
    """Return the kinds of ``texts`` that there is room for, a badge left aside."""
    return {block.kind for column in design.layout.columns for block in _fit(column, design, texts)[1]}


def draw(rendition: Rendition) -> Creative:
    """Draw a rendition without its alterations: ground, product, columns of text and badge."""
    design = rendition.design
    room = pixels(design.layout.product, design.size)
    columns = [
        (column, *_fit(column, design, rendition.texts))
        for column in sorted(design.layout.columns, key=lambda column: (column.area[1], column.area[0]))
    ]
    canvas = _choose_ground(design, room, [column for column, _, _ in columns])
    ground = canvas.copy()
    cutout = turn_hue(load_cutout(rendition.cutout.path), rendition.hue)
    space = (round((room[2] - room[0]) * design.reach), round((room[3] - room[1]) * design.reach))
    turnable = rendition.cutout.category in TURNABLE
    product = fit_product(cutout, space, design.tilt, design.flip, turnable)
    box = paste_product(canvas, product, room)
    texts: list[TextBox] = []
    for column, unit, blocks in columns:
        texts += _draw_column(canvas, ground, column, unit, blocks, design)
    if design.badge:
        radius = _badge_radius(design.size)
        occupied = [text.box for text in texts]
        centre = _free_corner(product, box, room, design.size, radius, occupied)
        if centre:
            file = FAMILIES[design.family][0]
            texts.append(_draw_badge(canvas, centre, radius, rendition.texts["badge"], file, design.palette))
    return Creative(canvas, texts)


def _fit(column: Column, design: Design, texts: dict[str, str]) -> tuple[int, list[SetText]]:
    """Return unit and set texts of a column; the price moves from the column to the badge if there is one."""
    left, top, right, bottom = pixels(column.area, design.size)
    kinds = [kind for kind in column.kinds if kind in design.kinds and not (kind == "price" and design.badge)]
    width, height = design.size
    largest = max(28, round((width * height) ** 0.5 * (0.135 if "headline" in kinds else 0.095)))
    wanted = [(kind, texts[kind]) for kind in kinds]
    return fit_column(wanted, design.family, (right - left, bottom - top), largest)


def _sample(ground: Image.Image, box: Box) -> list[Colour]:
    """Return colours of ``ground`` on a grid of 8 x 6 points inside ``box``."""
    points = ground.crop(box).resize((8, 6), Image.Resampling.NEAREST)
    data = points.tobytes()
    return [(data[at], data[at + 1], data[at + 2]) for at in range(0, len(data), 3)]


def _choose_ground(design: Design, room: Box, columns: Sequence[Column]) -> Image.Image:
    """Return the ground of the design, or its plain gradient where text would be hard to read on it."""
    ground = paint_ground(design.palette, design.size, design.ground, design.angle, room)
    for column in columns:
        colours = _sample(ground, pixels(column.area, design.size))
        if worst_contrast(readable(colours), colours) < MIN_CONTRAST:
            return paint_ground(design.palette, design.size, "plain", design.angle, room)
    return ground


def _draw_column(
    canvas: Image.Image, ground: Image.Image, column: Column, unit: int, blocks: list[SetText], design: Design
) -> list[TextBox]:
    """Draw set texts one below the other, in the middle of the column's height."""
    left, top, right, bottom = pixels(column.area, design.size)
    spare = bottom - top - sum(block.height for block in blocks) - gap(unit) * (len(blocks) - 1)
    y = top + max(0, spare) // 2
    drawn = []
    for block in blocks:
        indent = (right - left - block.width) // 2 if design.layout.centred else 0
        box = (left + indent, y, left + indent + block.width, y + block.height)
        drawn.append(_draw_block(canvas, ground, block, box, design))
        y += block.height + gap(unit)
    return drawn


def _draw_block(
    canvas: Image.Image, ground: Image.Image, block: SetText, box: Box, design: Design
) -> TextBox:
    """Draw one text, a button with its rounded rectangle."""
    grounds = _sample(ground, box)
    preferred: tuple[Colour, ...] = ()
    if block.kind == "button":
        fill = design.palette.accent
        if worst_contrast(fill, grounds) < 1.6:
            fill = readable(grounds)
        paste_rounded(canvas, box, round((box[3] - box[1]) / 2 * design.radius), fill)
        grounds, preferred = [fill], (design.palette.start,)
    elif block.kind in ("price", "brand"):
        preferred = (design.palette.accent,)
    ink = readable(grounds, preferred)
    size = block.face.size
    inner = (box[3] - box[1] - round(len(block.lines) * size * LINE_HEIGHT)) // 2
    centred = design.layout.centred or block.kind == "button"
    x = (box[0] + box[2]) / 2 if centred else box[0]
    draw = ImageDraw.Draw(canvas)
    for number, line in enumerate(block.lines):
        baseline = box[1] + inner + round((number + 0.5) * size * LINE_HEIGHT + 0.36 * size)
        draw.text((x, baseline), line, fill=ink, font=load_font(block.face), anchor="ms" if centred else "ls")
    return TextBox(block.kind, " ".join(block.lines), box, size, worst_contrast(ink, grounds))


def _badge_radius(size: Size) -> int:
    """Return the radius in pixels of the badge on a canvas of ``size``."""
    width, height = size
    return round(min(0.11 * math.sqrt(width * height), 0.16 * min(width, height)))


def _free_corner(
    product: Image.Image, box: Box, room: Box, size: Size, radius: int, occupied: Sequence[Box]
) -> tuple[int, int] | None:
    """Return the centre of a disc that covers no text and the least of the product.

    Candidates are the corners of the product's ``box`` and of its ``room``, moved into the canvas.
    None: all cover a box of ``occupied`` or too much of the product.
    """
    alpha = product.getchannel("A")
    across, down = (radius + 4 + side // 80 for side in size)
    choices = []
    for x in (room[0], box[0], box[2], room[2]):
        for y in (room[1], box[1], box[3], room[3]):
            centre = min(max(x, across), size[0] - across), min(max(y, down), size[1] - down)
            area = _square(centre, radius)
            if any(_overlap(area, other) for other in occupied):
                continue
            behind = (area[0] - box[0], area[1] - box[1], area[2] - box[0], area[3] - box[1])
            hidden = alpha.crop(behind).resize((1, 1), Image.Resampling.BOX).tobytes()[0]
            if hidden <= MAX_HIDDEN:
                choices.append((hidden, centre))
    return min(choices)[1] if choices else None


def _draw_badge(
    canvas: Image.Image, centre: tuple[int, int], radius: int, text: str, file: str, palette: Palette
) -> TextBox:
    """Draw ``text`` in the font ``file`` on a disc of the accent colour with a rim and a shadow."""
    fill = palette.accent
    ink = readable([fill], (palette.start,))
    rim = WHITE if contrast(fill, WHITE) > contrast(fill, INK) else palette.start
    paste_disc(canvas, (centre[0] + 2, centre[1] + 3), radius, INK)
    paste_disc(canvas, centre, radius, rim)
    paste_disc(canvas, centre, radius - max(2, radius // 16), fill)
    size = radius
    while text_width(text, Face(file, size)) > 1.7 * radius:
        size -= 1
    ImageDraw.Draw(canvas).text(centre, text, fill=ink, font=load_font(Face(file, size)), anchor="mm")
    return TextBox("badge", text, _square(centre, radius), size, contrast(ink, fill))


def _square(centre: tuple[int, int], radius: int) -> Box:
    return centre[0] - radius, centre[1] - radius, centre[0] + radius, centre[1] + radius


def _overlap(first: Box, second: Box) -> bool:
    return first[0] < second[2] and second[0] < first[2] and first[1] < second[3] and second[1] < first[3]


def encode(image: Image.Image, suffix: str, quality: int) -> bytes:
    """Return the bytes of a JPEG, PNG or WebP file; the same image gives the same bytes."""
    file = io.BytesIO()
    if suffix == "png":
        image.save(file, "PNG", compress_level=4)
    elif suffix == "webp":
        image.save(file, "WEBP", quality=quality, method=2)
    else:
        image.save(file, "JPEG", quality=quality)
    return file.getvalue()
