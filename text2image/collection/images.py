"""Images from untrusted files: decoded and brought to upright RGB, or rejected with a reason.

An image is what its bytes are. Whoever needs the pixels or the bytes of an image of the manifest gets them from
:func:`open_image` or :func:`read_image_bytes`, which compare the file's hash with the image's id first: a file that
was replaced since the catalog was made never passes for the image that it was.
"""

import hashlib
import io
import warnings
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import NamedTuple, TypeVar

from PIL import Image, ImageOps, UnidentifiedImageError

from text2image.base.console import InputError, one_line
from text2image.collection.locations import Location, Remote
from text2image.collection.manifest import ImageFile

DECODING = 1
"""Version of how a file's bytes become upright RGB pixels. Raise it with every change of them:
tests/collection/test_golden_pixels.py holds the pixels of each kind of file."""

Made = TypeVar("Made")

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


class Rendered(NamedTuple):
    """An image's upright RGB pixels, and the name of how they were made of its bytes.

    The name is "" for what every reader of images does; see :func:`render`. It is part of an image's key in the
    store (:attr:`text2image.collection.manifest.ImageFile.key`).
    """

    image: Image.Image
    rendering: str


def decode(content: bytes, max_pixels: int | None = None) -> Image.Image:
    """Return the pixels of :func:`render` alone."""
    return render(content, max_pixels).image


def render(content: bytes, max_pixels: int | None = None) -> Rendered:
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
            return Rendered(to_rgb(upright), "")
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


def read_image_bytes(image: ImageFile) -> bytes:
    """Return the bytes of an image of the manifest, which are those that the catalog saw.

    Raises:
        InputError: the file changed or vanished since, or cannot be read.
    """
    try:
        content = read_bytes(image.path)
    except UnusableImage as error:
        raise InputError(f"expected {_as_listed(image)}, found: {error}; {_advice(image.path)}") from None
    if (now := image_id(content)) != image.image_id:
        raise InputError(
            f"expected {_as_listed(image)}, found other bytes ({now}): the file changed since; {_advice(image.path)}"
        )
    return content


def open_image(image: ImageFile) -> Image.Image:
    """Return the upright RGB pixels of an image of the manifest, made of the bytes that the catalog saw.

    Raises:
        InputError: the file changed or vanished since, does not decode here, or another version of this
            program made the manifest and other pixels of this image.
    """
    content = read_image_bytes(image)
    try:
        rendered = render(content)
    except Unreadable as error:
        raise InputError(
            f"expected memory for the pixels of {one_line(image.path)}, found: {error}; lower catalog.max_pixels in "
            "params.yaml and run `dvc repro`"
        ) from None
    except UnusableImage as error:
        raise InputError(f"expected {_as_listed(image)}, found: {error}; run `dvc repro`") from None
    if rendered.rendering != image.rendering:
        raise InputError(
            f"expected {_as_listed(image)} to be rendered as '{image.rendering}', found "
            f"'{rendered.rendering}': another version of this program made the catalog; run `dvc repro`"
        )
    return rendered.image


def open_each(
    images: Iterable[ImageFile], make: Callable[[Image.Image], Made]
) -> tuple[list[tuple[ImageFile, Made]], InputError | None]:
    """Open images and make something of each, so that one that changed spoils nothing for the others of its batch.

    Returns:
        The images that could be opened with what was made of them, and the error of the first that could not.
    """
    made: list[tuple[ImageFile, Made]] = []
    first: InputError | None = None
    for image in images:
        try:
            made.append((image, make(open_image(image))))
        except InputError as error:
            first = first or error
    return made, first


def identify(path: Location, max_pixels: int) -> ImageFile:
    """Return the image that a file holds which need not be in the manifest.

    Raises:
        InputError: the file is not a usable image.
    """
    try:
        content = read_bytes(path)
        rendering = render(content, max_pixels).rendering
    except UnusableImage as error:
        raise InputError(f"expected a usable image at {one_line(path)}, found: {error}") from None
    return ImageFile(image_id(content), path, rendering)


def _as_listed(image: ImageFile) -> str:
    return f"{one_line(image.path)} as data/catalog.csv lists it ({image.image_id})"


def _advice(path: Location) -> str:
    """Say what makes the catalog right again: DVC sees a changed file by its time and size."""
    if isinstance(path, Remote):
        return "run `dvc repro`, after `t2i catalog --pin` if data.images in params.yaml names a pin"
    return "run `dvc repro`, which reads the folder anew (`touch` the file first if DVC sees no change)"
