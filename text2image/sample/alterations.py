"""What is done to a picture on its way from one server to the next: scaled, recompressed, cropped, framed, brightened.

The picture stays the same advertisement; the file does not stay the same.
"""

from collections.abc import Callable
from random import Random
from typing import NamedTuple

from PIL import Image, ImageEnhance, ImageOps

from text2image.sample.colour import INK, WHITE, Colour
from text2image.sample.layouts import Box, Size
from text2image.sample.text import TextBox


class Touch(NamedTuple):
    """An alteration: shares cut off at the left, top, right and bottom, a new size, a brightness factor, a border.

    The border, in pixels, is added outside; ``quality`` is the JPEG's.
    """

    crop: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    size: Size | None = None
    brightness: float = 1.0
    border: int = 0
    border_colour: Colour = WHITE
    quality: int = 80


UNTOUCHED = Touch()


def _scaled(rng: Random, size: Size) -> Touch:
    scale = rng.uniform(0.5, 0.95)
    return Touch(size=(round(size[0] * scale), round(size[1] * scale)), quality=rng.randint(70, 88))


def _recompressed(rng: Random, size: Size) -> Touch:
    return Touch(quality=rng.randint(35, 60))


def _cropped(rng: Random, size: Size) -> Touch:
    """Cut whole pixels off every side, up to 3 % of it."""
    width, height = size
    left, right = (int(width * rng.uniform(0.004, 0.03)) for _ in range(2))
    top, bottom = (int(height * rng.uniform(0.004, 0.03)) for _ in range(2))
    crop = left / width, top / height, right / width, bottom / height
    return Touch(crop, (width - left - right, height - top - bottom), quality=rng.randint(70, 88))


def _framed(rng: Random, size: Size) -> Touch:
    border = max(1, round(min(size) * rng.uniform(0.005, 0.025)))
    return Touch(border=border, border_colour=rng.choice((WHITE, INK)), quality=rng.randint(70, 88))


def _brightened(rng: Random, size: Size) -> Touch:
    factor = rng.choice((rng.uniform(0.86, 0.94), rng.uniform(1.06, 1.12)))
    return Touch(brightness=factor, quality=rng.randint(70, 88))


def _mixed(rng: Random, size: Size) -> Touch:
    cut, scaled = _cropped(rng, size), rng.uniform(0.6, 0.95)
    across, down = cut.size or size
    bright = rng.uniform(0.92, 1.08)
    return Touch(
        cut.crop, (round(across * scaled), round(down * scaled)), bright, quality=rng.randint(70, 84)
    )


ALTERATIONS: dict[str, Callable[[Random, Size], Touch]] = {
    "scaled": _scaled,
    "recompressed": _recompressed,
    "cropped": _cropped,
    "framed": _framed,
    "brightened": _brightened,
    "mixed": _mixed,
}
"""By name, what draws an alteration of a picture of a size."""


def retouch(image: Image.Image, texts: list[TextBox], touch: Touch) -> tuple[Image.Image, list[TextBox]]:
    """Return a picture cropped, scaled, brightened and framed, and where its texts are now."""
    width, height = image.size
    size = touch.size or image.size
    x, y, right, bottom = (share * side for share, side in zip(touch.crop, (width, height) * 2, strict=True))
    box = (x, y, width - right, height - bottom)
    image = image.resize(size, Image.Resampling.BICUBIC, box=box)
    image = ImageEnhance.Brightness(image).enhance(touch.brightness)
    if touch.border:
        image = ImageOps.expand(image, touch.border, touch.border_colour)
    across, down = size[0] / (box[2] - x), size[1] / (box[3] - y)

    def moved(text: TextBox) -> TextBox:
        left, top, right, bottom = text.box
        corners: Box = (
            round((left - x) * across) + touch.border, round((top - y) * down) + touch.border,
            round((right - x) * across) + touch.border, round((bottom - y) * down) + touch.border,
        )  # fmt: skip
        return text._replace(box=corners, font_px=round(text.font_px * down))

    return image, [moved(text) for text in texts]
