"""Decoded pixels of every kind as RGB, such that what is on an image can be seen.

Most files hold 8-bit pixels of a picture on an opaque ground, and their pixels are taken as they are. What would be
black, blank or of wrong colours otherwise is rendered in one of these ways; each has a name with a version, which is
part of the image's key in the store (:attr:`text2image.collection.manifest.ImageFile.key`):

- ``bits1``: whole numbers of more than 8 bits are scaled by the bits that they use (8, 10, 12, 14 or 16): cameras
  and scanners write 12-bit data into 16-bit files. Beyond 16 bits, or below zero, the lowest becomes black and the
  highest white. Files that use all of 16 bits are plain.
- ``float1``: fractions from 0 to 1 are scaled to 255; other numbers such that the lowest is black and the highest
  white. Whole numbers from 0 to 255 are plain.
- ``icc1``: colours are converted from the file's own profile to sRGB (:mod:`text2image.collection.profiles`).
- ``ground1``: what is transparent is black, since on white nothing could be seen of a white or nearly white logo.
- ``frame1``: the first frame in which something can be seen, of an animation that begins with a blank one.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, cast

import numpy as np
import numpy.typing as npt
from PIL import Image

from text2image.collection.profiles import to_srgb

BITS, FLOAT, COLOURS, GROUND, FRAME = "bits1", "float1", "icc1", "ground1", "frame1"

WHITE, BLACK = (255, 255, 255, 255), (0, 0, 0, 255)
DEPTHS = (8, 10, 12, 14, 16)  # bits that whole numbers in 16 bits are taken to use
DEEP = ("I;16", "I;16B", "I;16L", "I;16N", "I")
BLANK_LEVELS = 4  # of 255: compressed areas of one colour differ by 0 to 3, the faintest lettering by more
FEW = (16, 16)  # pixels across and down
FAINT_LEVELS = 16  # of 255: what differs from white by less is hardly seen, as an off-white logo

Levels = npt.NDArray[np.uint8]


class Rendered(NamedTuple):
    """An image's upright RGB pixels, and the sorted names of how they were made, joined by ``+``; "" if plain."""

    image: Image.Image
    rendering: str


class NoNumbers(ValueError):
    """Pixels of which none is a finite number."""


def join(*names: str) -> str:
    """Return the name of a rendering that is made in several ways; empty ones are left out."""
    return "+".join(sorted(filter(None, names)))


def to_rgb(image: Image.Image, low_bytes: Callable[[], Image.Image] | None = None) -> Rendered:
    """Return any Pillow image as RGB, composited on white where it is transparent.

    Args:
        image: upright.
        low_bytes: of an image whose file has 16 bits a channel of which Pillow keeps the high ones: reads the others.

    Raises:
        NoNumbers: it is of floats, none of which is finite.
    """
    profile = image.info.get("icc_profile")
    image, depth = _eight_bits(image, low_bytes)
    if "transparency" in image.info or image.mode in ("PA", "La", "RGBa"):
        image = image.convert("RGBA")
    alpha = image.getchannel("A") if image.mode in ("RGBA", "LA") else None
    plain = image.convert("RGB")
    converted = to_srgb(image, profile) if profile else None
    colours = COLOURS if converted is not None and converted.tobytes() != plain.tobytes() else ""
    opaque = converted if converted is not None and colours else plain
    if alpha is None:
        return Rendered(opaque, join(depth, colours))
    opaque.putalpha(alpha)
    on_ground, ground = _on_ground(opaque)
    return Rendered(on_ground, join(depth, colours, ground))


def is_blank(image: Image.Image, levels: int = BLANK_LEVELS) -> bool:
    """Say whether an RGB image has one colour: each channel's levels differ by at most ``levels``.

    A few of its pixels tell of most images that it has not, a hundred times faster than all.
    """
    few = image.resize(FEW, Image.Resampling.NEAREST)
    return all(
        int(high - low) <= levels
        for pixels in (few, image)
        for low, high in cast("tuple[tuple[int, int], ...]", pixels.getextrema())
    )


def _on_ground(layer: Image.Image) -> tuple[Image.Image, str]:
    """Composite RGBA pixels on white, or on black where that leaves next to nothing to see, and say which."""

    def on(ground: tuple[int, int, int, int]) -> Image.Image:
        return Image.alpha_composite(Image.new("RGBA", layer.size, ground), layer).convert("RGB")

    on_white = on(WHITE)
    for levels in (BLANK_LEVELS, FAINT_LEVELS):
        if is_blank(on_white, levels) and not is_blank(on_black := on(BLACK), levels):
            return on_black, GROUND
    return on_white, ""


def _eight_bits(image: Image.Image, low_bytes: Callable[[], Image.Image] | None) -> tuple[Image.Image, str]:
    """Return an image of 8 bits a channel, and how it was made."""
    if image.mode == "F":
        levels, name = float_levels(np.asarray(image, dtype=np.float64))
        return Image.fromarray(levels), name
    if image.mode in DEEP:
        values = np.asarray(image).astype(np.int64)
        levels, name = whole_levels(values)
        if (clear := image.info.get("transparency")) is not None:
            opaque = np.where(values == clear, 0, 255).astype(np.uint8)
            return Image.fromarray(np.dstack([levels, opaque]), "LA"), BITS
        return Image.fromarray(levels), name
    if low_bytes and _uses_few_bits(image):
        high, low = np.asarray(image).astype(np.int64), np.asarray(low_bytes()).astype(np.int64)
        n_colours = high.shape[2] - (image.mode in ("RGBA", "LA")) if high.ndim == 3 else 1
        levels = np.asarray(image).copy().reshape(*high.shape[:2], -1)
        scaled, name = whole_levels((high * 256 + low).reshape(levels.shape)[..., :n_colours])
        levels[..., :n_colours] = scaled
        deep = Image.fromarray(levels.reshape(high.shape), image.mode)
        return deep, name
    return image, ""


def _uses_few_bits(image: Image.Image) -> bool:
    """Say whether the high bytes of an image of 16 bits a channel leave the highest bits of its colours unused."""
    extrema: Any = image.getextrema()
    channels = list(extrema) if isinstance(extrema[0], tuple) else [extrema]
    colours = channels[: -1 if image.mode in ("RGBA", "LA") else None]
    return max(int(high) for _, high in colours) < 1 << (DEPTHS[-2] - 8)


def whole_levels(values: npt.NDArray[np.int64]) -> tuple[Levels, str]:
    """Return whole numbers as levels of 8 bits, and how they were made.

    Args:
        values: of any shape.
    """
    low, high = int(values.min()), int(values.max())
    if low < 0 or high >= 2 ** DEPTHS[-1]:
        return _stretched(values.astype(np.float64), low, high), BITS
    depth = next(depth for depth in DEPTHS if high < 2**depth)
    plain = depth == DEPTHS[-1] or high == 0
    return (values >> (depth - 8)).astype(np.uint8), "" if plain else BITS


def float_levels(values: npt.NDArray[np.float64]) -> tuple[Levels, str]:
    """Return floats as levels of 8 bits, and how they were made; what is no finite number becomes black.

    Args:
        values: of any shape.

    Raises:
        NoNumbers: none of them is finite.
    """
    finite = np.isfinite(values)
    if not finite.any():
        raise NoNumbers
    low, high = float(values[finite].min()), float(values[finite].max())
    values = np.where(finite, values, low)
    if low >= 0 and high <= 1:
        return np.rint(values * 255).astype(np.uint8), FLOAT
    if low >= 0 and high <= 255 and (values == np.rint(values)).all():
        return values.astype(np.uint8), "" if finite.all() else FLOAT
    return _stretched(values, low, high), FLOAT


def _stretched(values: npt.NDArray[np.float64], low: float, high: float) -> Levels:
    """Return levels of which ``low`` is black and ``high`` white; black if they are the same."""
    if high == low:
        return np.zeros(values.shape, dtype=np.uint8)
    share = values / 2 - low / 2  # halves: their difference cannot overflow
    return np.rint(share / (high / 2 - low / 2) * 255).astype(np.uint8)
