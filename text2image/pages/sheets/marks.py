"""Where on a picture the words stand in which a query was found, and how sheets draw them there.

A text's box is known, those of its words are not: they are estimated from how wide its letters are in DejaVu Sans.
"""

import math
import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import accumulate
from typing import NamedTuple

from PIL import Image, ImageColor, ImageDraw

from text2image.formats.fields import FieldText
from text2image.pages.sheets.fonts import font
from text2image.pages.theme import INK, MARK

EM = 100  # pixels: the size in which letters are measured
RIGHT_TO_LEFT = ("R", "AL")
FILL, CASING = 80, 160  # opacity, of 255
STROKE = 2  # pixels

Corners = tuple[tuple[float, float], ...]


class Mark(NamedTuple):
    """Words that stand side by side on a picture.

    Attributes:
        corners: the four corners ``(x, y)`` in pixels of the picture, clockwise from the text's top left.
        text: the words.
    """

    corners: Corners
    text: str


def marks_of(text: FieldText, words: Sequence[str]) -> list[Mark]:
    """Return where on a picture words of a text stand; one that stands nowhere, such as a caption, has no mark.

    Without words, or if they are not found in it, all of the text is marked.
    """
    if not text.box:
        return []
    places = spans(text.text, words)
    return [
        Mark(part_of_box(text.box, *_shares(text.text, *place)), text.text[slice(*place)]) for place in places
    ]


def spans(text: str, words: Sequence[str]) -> list[tuple[int, int]]:
    """Return the places of words in a text, ``text[start:end]``; words with nothing but blanks between are one place.

    >>> spans("Summer sale: 50 % off, summer", ["Summer", "sale", "off"])
    [(0, 11), (18, 21)]
    >>> spans("Wholesale sale", ["sale"])
    [(10, 14)]
    >>> spans("no such word", ["sale"])
    [(0, 12)]
    """
    found: list[tuple[int, int]] = []
    after = 0
    for word in filter(None, words):
        whole = re.compile(rf"(?<!\w){re.escape(word)}(?!\w)").search(text, after)
        start = whole.start() if whole else text.find(word, after)
        if start < 0:
            continue
        after = start + 1  # words of scripts without spaces overlap
        joined = bool(found) and not text[found[-1][1] : start].strip()
        found[-1 if joined else len(found) :] = [(found[-1][0] if joined else start, start + len(word))]
    return found or [(0, len(text))]


def part_of_box(box: Sequence[Sequence[float]], start: float, end: float) -> Corners:
    """Return the corners of the part of a box between two shares of its width, each in [0, 1], in reading direction.

    >>> part_of_box(((0, 0), (100, 0), (100, 20), (0, 20)), 0.25, 0.5)
    ((25.0, 0.0), (50.0, 0.0), (50.0, 20.0), (25.0, 20.0))
    """
    top_left, top_right, bottom_right, bottom_left = box

    def between(left: Sequence[float], right: Sequence[float], share: float) -> tuple[float, float]:
        return left[0] + (right[0] - left[0]) * share, left[1] + (right[1] - left[1]) * share

    return (
        between(top_left, top_right, start),
        between(top_left, top_right, end),
        between(bottom_left, bottom_right, end),
        between(bottom_left, bottom_right, start),
    )


def _shares(text: str, start: int, end: int) -> tuple[float, float]:
    """Return from which to which share of a text's width some of its letters reach, from its left."""
    widths = [0.0, *accumulate(map(_width, text))]
    if not widths[-1]:
        return 0.0, 1.0
    first, last = widths[start] / widths[-1], widths[end] / widths[-1]
    directed = (
        direction for char in text if (direction := unicodedata.bidirectional(char)) in ("L", "R", "AL")
    )
    return (1 - last, 1 - first) if next(directed, "L") in RIGHT_TO_LEFT else (first, last)


@lru_cache(4096)
def _width(letter: str) -> float:
    return float(EM) if unicodedata.east_asian_width(letter) in "WF" else font(EM).getlength(letter)


def _widened(corners: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return corners moved outwards by the width of a line, so that it stands around small letters, not upon them."""
    x_middle, y_middle = (sum(one) / len(corners) for one in zip(*corners, strict=True))
    return [
        (x + math.copysign(STROKE, x - x_middle), y + math.copysign(STROKE, y - y_middle)) for x, y in corners
    ]


def draw_marks(picture: Image.Image, marks: Iterable[Mark], scale: float = 1.0) -> Image.Image:
    """Return an RGB picture with marks, as with a highlighter: the letters stay readable, and lines equally strong.

    Args:
        picture: the picture, or a smaller one of it.
        marks: in pixels of the whole picture.
        scale: how much smaller it is: its width by that of the whole picture.
    """
    marked = picture.convert("RGBA")
    for mark in marks:
        corners = _widened([(x * scale, y * scale) for x, y in mark.corners])
        layer = Image.new("RGBA", picture.size)
        draw = ImageDraw.Draw(layer)
        draw.polygon(corners, fill=(*ImageColor.getrgb(MARK), FILL))
        outline = [*corners, corners[0], corners[1]]
        draw.line(outline, fill=(*ImageColor.getrgb(INK), CASING), width=STROKE + 2, joint="curve")
        draw.line(outline, fill=MARK, width=STROKE, joint="curve")
        marked.alpha_composite(layer)
    return marked.convert("RGB")
