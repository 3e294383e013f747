"""Text that fits: the largest size at which a column of texts stays inside its box."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import NamedTuple

import matplotlib
from PIL import ImageFont

from text2image.sample.layouts import Box

FONT_FOLDER = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
NARROW = "stix"
FAMILIES: dict[str, tuple[str, str]] = {  # name: (display face, text face)
    "sans": ("DejaVuSans-Bold.ttf", "DejaVuSans.ttf"),
    "oblique": ("DejaVuSans-BoldOblique.ttf", "DejaVuSans.ttf"),
    "serif": ("DejaVuSerif-Bold.ttf", "DejaVuSerif.ttf"),
    "italic": ("DejaVuSerif-BoldItalic.ttf", "DejaVuSans.ttf"),
    "mono": ("DejaVuSansMono-Bold.ttf", "DejaVuSansMono.ttf"),
    NARROW: ("STIXGeneralBol.ttf", "STIXGeneral.ttf"),
}
LINE_HEIGHT = 1.18  # of the font size
GAP = 0.32  # between texts, of the unit
BUTTON_PADDING = (0.9, 0.45)  # left and right, above and below, of the font size
UNITS = tuple(range(12, 40, 2)) + tuple(range(40, 132, 4))  # headline sizes in pixels


class Rule(NamedTuple):
    """How one kind of text is set: its size relative to the headline, its smallest size in pixels."""

    share: float
    smallest: int
    max_lines: int
    display: bool


RULES: dict[str, Rule] = {
    "brand": Rule(0.5, 11, 1, True),
    "headline": Rule(1.0, 12, 4, True),
    "body": Rule(0.44, 11, 6, False),
    "price": Rule(0.85, 14, 1, True),
    "button": Rule(0.5, 11, 1, True),
    "terms": Rule(0.3, 9, 4, False),
}
DROP_ORDER = ("terms", "body", "brand", "price", "button")
# Smallest headline, and how many kinds of DROP_ORDER may be left out to reach it: tried in order.
FLOORS = ((24, 2), (24, 3), (18, 4), (UNITS[0], 5))


class Face(NamedTuple):
    """A font file at a size in pixels."""

    file: str
    size: int


class SetText(NamedTuple):
    """A text broken into lines at a font size; ``width`` and ``height`` in pixels, padding included."""

    kind: str
    lines: tuple[str, ...]
    face: Face
    width: int
    height: int


class TextBox(NamedTuple):
    """A drawn text: its box in pixels, font size in pixels and least contrast with its ground."""

    kind: str
    text: str
    box: Box
    font_px: int
    contrast: float


@lru_cache(maxsize=128)
def load_font(face: Face) -> ImageFont.FreeTypeFont:
    """Return one of matplotlib's fonts; loaded fonts are large, so few are kept."""
    return ImageFont.truetype(FONT_FOLDER / face.file, face.size, layout_engine=ImageFont.Layout.BASIC)


@lru_cache(maxsize=65536)
def text_width(text: str, face: Face) -> float:
    """Return the pixels that one line of ``text`` advances."""
    return load_font(face).getlength(text)


def wrap(text: str, face: Face, width: float) -> list[str] | None:
    """Break ``text`` into lines of at most ``width`` pixels; None if a single word is wider."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and text_width(longer, face) <= width:
            lines[-1] = longer
        elif text_width(word, face) <= width:
            lines.append(word)
        else:
            return None
    return lines


def balanced(text: str, face: Face, lines: list[str], width: float) -> list[str]:
    """Break ``text`` into as many lines as ``lines``, but of more equal length."""
    while len(lines) > 1:
        width *= 0.95
        tighter = wrap(text, face, width)
        if tighter is None or len(tighter) > len(lines):
            break
        lines = tighter
    return lines


def set_text(kind: str, text: str, unit: int, family: str, width: int) -> SetText | None:
    """Set one text for headlines of ``unit`` pixels; None if it needs more width or lines than it has."""
    rule = RULES[kind]
    size = max(rule.smallest, round(unit * rule.share))
    face = Face(FAMILIES[family][0 if rule.display else 1], size)
    across, above = (round(size * share) if kind == "button" else 0 for share in BUTTON_PADDING)
    lines = wrap(text, face, width - 2 * across)
    if lines is None or len(lines) > rule.max_lines:
        return None
    if kind in ("headline", "body"):
        lines = balanced(text, face, lines, width)
    longest = max(text_width(line, face) for line in lines)
    height = round(len(lines) * size * LINE_HEIGHT) + 2 * above
    return SetText(kind, tuple(lines), face, round(longest) + 2 * across, height)


def gap(unit: int) -> int:
    """Return the pixels between two texts of a column whose headline has ``unit`` pixels."""
    return max(3, round(unit * GAP))


def set_column(
    texts: Sequence[tuple[str, str]], unit: int, family: str, size: tuple[int, int]
) -> list[SetText] | None:
    """Set (kind, text) pairs one below the other; None if they do not fit into ``size``."""
    column: list[SetText] = []
    left = size[1]
    for kind, text in texts:
        block = set_text(kind, text, unit, family, size[0])
        if block is None:
            return None
        left -= block.height + (gap(unit) if column else 0)
        if left < 0:
            return None
        column.append(block)
    return column


def _fewer(texts: list[tuple[str, str]], order: Sequence[str]) -> Iterator[list[tuple[str, str]]]:
    """Yield ``texts``, then without the first kind of ``order``, then without the first two, …"""
    yield texts
    for kind in order:
        shorter = [item for item in texts if item[0] != kind]
        if shorter and len(shorter) < len(texts):
            texts = shorter
            yield texts


def fit_column(
    texts: list[tuple[str, str]], family: str, size: tuple[int, int], largest: int
) -> tuple[int, list[SetText]]:
    """Return the largest unit of at most ``largest`` pixels at which ``texts`` fit, and the set texts.

    Secondary texts are left out rather than that the unit falls below what :data:`FLOORS` asks
    for. Nothing fits: ``(0, [])``.
    """
    if not texts:
        return 0, []
    for smallest, dropped in FLOORS:
        units = [unit for unit in UNITS if smallest <= unit <= largest]
        for fewer in _fewer(texts, DROP_ORDER[:dropped]):
            columns = partial(set_column, fewer, family=family, size=size)
            n_fitting = bisect_left(units, True, key=lambda unit: columns(unit) is None)
            if n_fitting and (column := columns(units[n_fitting - 1])):
                return units[n_fitting - 1], column
    return 0, []
