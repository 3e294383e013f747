"""Colours of a creative and the contrast between them (WCAG 2.1)."""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

Colour = tuple[int, int, int]  # sRGB, each channel in 0..255

WHITE: Colour = (255, 255, 255)
INK: Colour = (24, 26, 32)
MIN_CONTRAST = 4.5  # WCAG 2.1 success criterion 1.4.3 (level AA)


class Palette(NamedTuple):
    """A ground that runs from ``start`` to ``end`` and the ``accent`` of button, price and badge."""

    start: Colour
    end: Colour
    accent: Colour


def _hex_colour(code: str) -> Colour:
    red, green, blue = bytes.fromhex(code)
    return red, green, blue


PALETTES: tuple[Palette, ...] = tuple(
    Palette(*(_hex_colour(code) for code in codes.split()))
    for codes in (
        "0b2545 1b3f73 ffb703",
        "163a2b 2d6a4f ffd166",
        "5c0a24 8a1538 ffd6a5",
        "3c1361 63308f ffca3a",
        "1f2328 3f464f ff7b54",
        "004b57 00707d ffe066",
        "1d3fbb 2c5be0 ffd60a",
        "9c0018 c9102a ffffff",
        "123c69 0f5c8c f7b267",
        "fff6e0 ffe0a8 c1121f",
        "e0f4ff a9dcfb 023e8a",
        "e3f9ec aee6c8 1b4332",
        "ffe9ec ffc2cd 9d0235",
        "f6efe3 e2cfae 7f4f24",
        "fffbd6 ffec7a 1d3557",
        "ffffff e3e9f0 d62828",
        "f3e9ff d3b9f8 4a148c",
        "ffc46b ff9f3f 1f2328",
        "ffb199 ff9b85 4a0d2b",
        "d7f3f0 9fdcd8 00525c",
    )
)


def blend(first: Colour, second: Colour, share: float) -> Colour:
    """Return the mixture with ``share`` (0..1) of ``second``."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return red, green, blue


@lru_cache(maxsize=8192)
def luminance(colour: Colour) -> float:
    """Return the WCAG relative luminance: 0 for black, 1 for white."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (v / 255 for v in colour)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(first: Colour, second: Colour) -> float:
    """Return the WCAG contrast ratio (lighter + 0.05) / (darker + 0.05), in 1..21."""
    darker, lighter = sorted((luminance(first), luminance(second)))
    return (lighter + 0.05) / (darker + 0.05)


def worst_contrast(colour: Colour, grounds: Sequence[Colour]) -> float:
    """Return the contrast of ``colour`` with that one of ``grounds`` where it is least."""
    return min(contrast(colour, ground) for ground in grounds)


def readable(grounds: Sequence[Colour], preferred: Sequence[Colour] = ()) -> Colour:
    """Return the first preferred colour that is readable on all ``grounds``, else dark ink or white."""
    for colour in preferred:
        if worst_contrast(colour, grounds) >= MIN_CONTRAST:
            return colour
    return max((INK, WHITE), key=lambda colour: worst_contrast(colour, grounds))
