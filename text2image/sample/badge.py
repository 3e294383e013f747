"""The badge: the offer on a disc at a corner of the product."""

import math
from collections.abc import Sequence

from PIL import Image, ImageDraw

from text2image.sample.colour import INK, WHITE, Palette, contrast, readable
from text2image.sample.layouts import Box, Size
from text2image.sample.picture import paste_disc
from text2image.sample.text import Face, TextBox, load_font, text_width

MAX_HIDDEN = 70  # mean opacity, in 0..255, of the product behind a badge


def badge_radius(size: Size) -> int:
    """Return the radius in pixels of the badge on a canvas of ``size``."""
    width, height = size
    return round(min(0.11 * math.sqrt(width * height), 0.16 * min(width, height)))


def free_corner(
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


def draw_badge(
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
