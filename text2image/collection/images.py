"""Images from untrusted files: decoded and brought to upright RGB, or rejected with a reason.

An image is what its bytes are. Whoever needs the pixels or the bytes of an image of the manifest gets them from
:func:`open_image` or :func:`read_image_bytes`, which compare the file's hash with the image's id first: a file that
was replaced since the catalog was made never passes for the image that it was.
"""

import hashlib
import io
import re
import sys
import warnings
from collections.abc import Callable, Iterable
from contextlib import suppress
from itertools import groupby
from typing import Any, TypeVar

from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError
from PIL.ImageFile import ImageFile as OpenedFile

from text2image.base.console import InputError, one_line
from text2image.collection.bounds import refuse_large_icons, refuse_large_tiles
from text2image.collection.locations import Location, Remote
from text2image.collection.manifest import ImageFile
from text2image.collection.rendering import FRAME, NoNumbers, Rendered, is_blank, join, to_rgb
from text2image.collection.signatures import formats, reason

DECODING = 1
"""Version of how a file's bytes become upright RGB pixels. Raise it with every change of plain ones; the ways of
rendering that :mod:`text2image.collection.rendering` names have versions of their own, in their names.
tests/collection/test_golden_pixels.py holds the pixels of each kind of file."""

AGAIN = "run `dvc repro -f -s catalog`, which reads the folder anew, then `dvc repro`"
"""What makes the catalog right in every case: DVC may have recorded a file as read that changed after the catalog read it."""

Opened = TypeVar("Opened")
Made = TypeVar("Made")

UPRIGHT = 1  # of EXIF's orientations
FRAMES = 10  # of an animation that are looked at
SHALLOW = ("L", "LA", "RGB", "RGBA")  # modes in which Pillow keeps the high bytes of numbers of 16 bits
SIXTEEN = re.compile(
    r";16([BLN])"
)  # in Pillow's names of how numbers are stored: big-endian, little-endian, native
OTHER_ORDER = {"B": ";16L", "L": ";16B", "N": ";16B" if sys.byteorder == "little" else ";16L"}


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
    """Return the pixels of :func:`render` alone."""
    return render(content, max_pixels).image


def render(content: bytes, max_pixels: int | None = None) -> Rendered:
    """Decode an image to upright RGB, and say how (:mod:`text2image.collection.rendering`).

    EXIF orientation is applied; CMYK, palette, grey, deep and float pixels are converted, alpha is composited. Of an
    animation it is the first frame, or the first of ``FRAMES`` on which something can be seen.

    Args:
        content: a file's bytes, in any of the formats of :mod:`text2image.collection.signatures`.
        max_pixels: larger images are refused before they are decoded; None for no limit.

    Raises:
        UnusableImage: not an image, of another format, damaged, or too large; the message names which.
    """
    try:
        with warnings.catch_warnings(action="ignore"), open_pillow(content) as image:
            first = _render_frame(image, content, max_pixels)
            if is_blank(first.image) and _has_frames(image):
                return _first_visible(image, content, max_pixels) or first
            return first
    except UnidentifiedImageError:
        raise UnusableImage(reason(content)) from None
    except Image.DecompressionBombError:
        raise UnusableImage("too many pixels") from None
    except NoNumbers:
        raise UnusableImage("float image without a finite number") from None
    except MemoryError:
        raise Unreadable("too large for the memory") from None
    except Exception as error:  # a decoder may raise anything on a damaged file
        raise UnusableImage(f"damaged image ({type(error).__name__})") from error


def open_pillow(content: bytes) -> OpenedFile:
    """Open an image file that is not decoded yet, of no format but those that are meant to be.

    Raises:
        Exception: of any kind, where it cannot be opened, or is an icon that holds more pixels than any.
    """
    refuse_large_icons(content)
    return Image.open(io.BytesIO(content), formats=formats())


def _render_frame(image: OpenedFile, content: bytes, max_pixels: int | None) -> Rendered:
    """Render the frame at which an open file stands."""
    if max_pixels is not None and image.width * image.height > max_pixels:
        raise Image.DecompressionBombError
    refuse_large_tiles(image)
    rest = _low_bytes(image, content)
    image.load()
    return to_rgb(_upright(image), rest)


def _upright(image: Image.Image) -> Image.Image:
    """Return an image as its EXIF data says that it is to be seen: itself, where that is as it is."""
    with suppress(Exception):  # broken EXIF data is no reason to lose an image that decodes
        if orientation(image) != UPRIGHT:
            return ImageOps.exif_transpose(image)
    return image


def orientation(image: Image.Image) -> int:
    """Return how EXIF data say that an image lies: 1 for upright, 2 to 8 for mirrored or turned (EXIF 3.0, 4.6.5.1.6).

    Raises:
        Exception: of any kind, where these data are broken.
    """
    lies: int = image.getexif().get(ExifTags.Base.Orientation, UPRIGHT)
    return lies


def _low_bytes(image: OpenedFile, content: bytes) -> Callable[[], Image.Image] | None:
    """Return what reads the low bytes of a grey or RGB file with 16 bits a channel; None for other files.

    Pillow keeps the high byte of each number. Told that the numbers are stored the other way round, it keeps the low;
    where it cannot be told so, they count as zero.
    """
    if image.mode not in SHALLOW or not any(SIXTEEN.search(str(tile.args)) for tile in image.tile):
        return None

    def swapped(value: Any) -> Any:
        return SIXTEEN.sub(lambda found: OTHER_ORDER[found[1]], value) if isinstance(value, str) else value

    def read() -> Image.Image:
        with suppress(ValueError), open_pillow(content) as again:
            again.tile = [
                tile._replace(
                    args=tuple(map(swapped, tile.args))
                    if isinstance(tile.args, tuple)
                    else swapped(tile.args)
                )
                for tile in again.tile
            ]
            again.load()
            return _upright(again)
        return Image.new(image.mode, _upright(image).size, 0)

    return read


def _has_frames(image: OpenedFile) -> bool:
    """Say whether there is more than one frame; not, where what follows the first is damaged."""
    with suppress(Exception):
        return bool(getattr(image, "is_animated", False))
    return False


def _first_visible(image: OpenedFile, content: bytes, max_pixels: int | None) -> Rendered | None:
    """Return the first of the first frames after a blank one on which something can be seen; None without one."""
    with suppress(Exception):  # there are no more, or they are damaged: the first one is not
        for number in range(1, FRAMES):
            image.seek(number)
            frame = _render_frame(image, content, max_pixels)
            if not is_blank(frame.image):
                return frame._replace(rendering=join(frame.rendering, FRAME))
    return None


def image_id(content: bytes) -> str:
    """Return an image's identity: the first 16 hex digits of the SHA-256 of its file's bytes."""
    return hashlib.sha256(content).hexdigest()[:16]


def image_format(content: bytes) -> str:
    """Return Pillow's name of a file's format (``JPEG``, ``PNG`` …), by content."""
    with warnings.catch_warnings(action="ignore"), open_pillow(content) as image:
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

    Of an image with a box, the part in it.

    Raises:
        InputError: the file changed or vanished since, does not decode here, or another version of this
            program made the manifest and other pixels of this image.
    """
    return part_of(open_content(image, read_image_bytes(image)), image)


def open_content(image: ImageFile, content: bytes) -> Image.Image:
    """Return the upright RGB pixels of the whole of an image, of whose file the bytes have been read.

    Raises:
        InputError: they do not decode here, or another version of this program made the manifest and other pixels of
            this image.
    """
    try:
        rendered = render(content)
    except Unreadable as error:
        raise InputError(
            f"expected memory for the pixels of {one_line(image.path)}, found: {error}; lower catalog.max_pixels in "
            "params.yaml and run `dvc repro`"
        ) from None
    except UnusableImage as error:
        raise InputError(f"expected {_as_listed(image)}, found: {error}; {AGAIN}") from None
    if rendered.rendering != image.rendering:
        raise InputError(
            f"expected {_as_listed(image)} to be rendered as '{image.rendering}', found "
            f"'{rendered.rendering}': another version of this program made the catalog; {AGAIN}"
        )
    return rendered.image


def part_of(picture: Image.Image, image: ImageFile) -> Image.Image:
    """Return the part of a whole picture that an image's box names; without one, the picture itself."""
    return picture if image.box is None else picture.crop(image.box)


def open_each(
    images: Iterable[ImageFile], make: Callable[[Image.Image], Made]
) -> tuple[list[tuple[ImageFile, Made]], InputError | None]:
    """Open images and make something of each, so that one that changed spoils nothing for the others of its batch.

    Parts of one image that follow each other are cut from a picture that is decoded once.

    Returns:
        The images that could be opened with what was made of them, and the error of the first that could not.
    """
    return each_whole(images, open_image, lambda picture, image: make(part_of(picture, image)))


def each_whole(
    images: Iterable[ImageFile],
    open_whole: Callable[[ImageFile], Opened],
    make: Callable[[Opened, ImageFile], Made],
) -> tuple[list[tuple[ImageFile, Made]], InputError | None]:
    """Open the whole of images in some form, and make something of each image of it, as :func:`open_each` does.

    Args:
        images: those that are parts of one picture follow each other.
        open_whole: opens an image without a box.
        make: takes what was opened and the image, with its box.
    """
    made: list[tuple[ImageFile, Made]] = []
    first: InputError | None = None
    for whole, parts in groupby(images, lambda image: image._replace(box=None)):
        try:
            opened = open_whole(whole)
            made.extend([(image, make(opened, image)) for image in parts])
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
    """Say what makes the catalog right again; what it remembers of a file goes by time and size."""
    if isinstance(path, Remote):
        return f"{AGAIN}, after `t2i catalog --pin` if data.images in params.yaml names a pin"
    return f"{AGAIN} (`touch` the file first if its time and size are what they were)"
