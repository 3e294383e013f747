"""Images from untrusted files: decoded and brought to upright RGB, or rejected with a reason."""

import hashlib
import io
import warnings
from contextlib import suppress

from PIL import Image, ImageOps, UnidentifiedImageError

from text2image.base.console import InputError, one_line
from text2image.collection.locations import Location

DECODING = 1
"""Version of how a file's bytes become upright RGB pixels. Raise it with every change of them:
tests/collection/test_golden_pixels.py holds the pixels of each kind of file."""

WHITE = (255, 255, 255, 255)


def decoding_determinants() -> dict[str, int]:
    """Return what keys of the store say of decoding: nothing for version 1, whose keys did not name it."""
    return {} if DECODING == 1 else {"decoding": DECODING}


class UnusableImage(ValueError):
    """A file that is not a usable image; the message is the reason, a short phrase."""


class Unreadable(UnusableImage):
    """A file that could not be read this time; another time it may be."""


def read_bytes(path: Location) -> bytes:
    """Return the bytes of a file.

    Raises:
        UnusableImage: it cannot be read (:class:`Unreadable`), or is empty.
        InputError: the network failed.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise Unreadable(f"unreadable ({error.strerror or type(error).__name__})") from None
    if not content:
        raise UnusableImage("empty file")
    return content


def decode(content: bytes, max_pixels: int | None = None) -> Image.Image:
    """Decode the first frame of an image to upright RGB on white.

    EXIF orientation is applied, alpha composited on white; CMYK, palette, grey and 16-bit images
    are converted.

    Args:
        content: a file's bytes, in any format that Pillow reads.
        max_pixels: larger images are refused before they are decoded; None for no limit.

    Raises:
        UnusableImage: not an image, damaged, or too large.
    """
    try:
        with warnings.catch_warnings(), Image.open(io.BytesIO(content)) as image:
            warnings.simplefilter("ignore")
            if max_pixels is not None and image.width * image.height > max_pixels:
                raise Image.DecompressionBombError
            image.load()
            upright: Image.Image = image
            with suppress(Exception):  # broken EXIF data is no reason to lose an image that decodes
                upright = ImageOps.exif_transpose(image)
            return to_rgb(upright)
    except UnidentifiedImageError:
        raise UnusableImage("not an image") from None
    except Image.DecompressionBombError:
        raise UnusableImage("too many pixels") from None
    except MemoryError:
        raise Unreadable("too large for the memory") from None
    except Exception as error:  # a decoder may raise anything on a damaged file
        raise UnusableImage(f"damaged image ({type(error).__name__})") from error


def to_rgb(image: Image.Image) -> Image.Image:
    """Return any Pillow image as RGB, composited on white where it is transparent."""
    if image.mode in ("I;16", "I;16B", "I;16L", "I;16N", "I"):
        image = image.point(lambda value: value / 256).convert("L")  # 16 bits to 8
    if "transparency" in image.info or image.mode in ("RGBA", "LA", "PA", "RGBa", "La"):
        layer = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", layer.size, WHITE), layer).convert("RGB")
    return image.convert("RGB")


def image_id(content: bytes) -> str:
    """Return an image's identity: the first 16 hex digits of the SHA-256 of its file's bytes."""
    return hashlib.sha256(content).hexdigest()[:16]


def image_format(content: bytes) -> str:
    """Return Pillow's name of a file's format (``JPEG``, ``PNG`` …), by content."""
    with Image.open(io.BytesIO(content)) as image:
        return image.format or "unknown"


def open_image(path: Location) -> Image.Image:
    """Open an image of the manifest, which the catalog has seen decode.

    Raises:
        InputError: the file changed or vanished since; `dvc repro` will read the folder anew.
    """
    try:
        return decode(read_bytes(path))
    except UnusableImage as error:
        raise InputError(
            f"expected {one_line(path)} as data/catalog.csv lists it, found: {error}; run `dvc repro catalog`"
        ) from None
