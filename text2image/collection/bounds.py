"""How many pixels a file takes while it is decoded, where that is not what its first header says.

Icons hold pictures of other formats, which Pillow decodes at their own size, those of ICO files as soon as the file is opened. A
TIFF file is decoded in tiles, which may be larger than its picture, and its pages have sizes of their own, as have the
pictures of an MPO file; a GIF file grows with its frames.
"""

import io
from collections.abc import Iterator
from contextlib import suppress

from PIL import Image
from PIL.BmpImagePlugin import DibImageFile
from PIL.IcnsImagePlugin import IcnsFile
from PIL.IcoImagePlugin import IcoFile
from PIL.ImageFile import ImageFile as OpenedFile

ICO, ICNS = b"\0\0\1\0", b"icns"
"""How these files begin."""

IN_ICONS = ["PNG", "JPEG2000"]
"""Pillow's names of formats that are found in icons."""

ICON_PIXELS = 2048 * 2048
"""That a picture in an icon may have; those of systems have a quarter of it at most."""

TILE_PIXELS = 4096 * 4096
"""That a tile may have which is larger than its picture."""

OF_ANY_SIZE = ("TIFF", "MPO", "GIF")
"""Formats whose frames may be larger than the first."""

TILE_WIDTH, TILE_LENGTH = 322, 323
"""Tags of TIFF 6.0, section 15."""


def refuse_large_icons(content: bytes) -> None:
    """Refuse an icon in which a picture is larger than any icon's, before Pillow opens it.

    Raises:
        DecompressionBombError: it is.
    """
    if not content.startswith((ICO, ICNS)):
        return
    sizes: list[tuple[int, int]] = []
    with suppress(Exception):  # where it is damaged, Pillow finds so, too
        sizes.extend(_sizes_in_ico(content) if content.startswith(ICO) else _sizes_in_icns(content))
    if any(width * height > ICON_PIXELS for width, height in sizes):
        raise Image.DecompressionBombError


def _sizes_in_ico(content: bytes) -> Iterator[tuple[int, int]]:
    """Yield the size of the picture that Pillow decodes: PNG, or a bitmap of twice the height."""
    file = io.BytesIO(content)
    begin = IcoFile(file).entry[0].offset
    with suppress(Exception):
        yield _size(content[begin:])
        return
    file.seek(begin)
    yield DibImageFile(file).size


def _sizes_in_icns(content: bytes) -> Iterator[tuple[int, int]]:
    """Yield the sizes of the pictures of which Pillow decodes one."""
    kinds = {kind for pictures in IcnsFile.SIZES.values() for kind, _ in pictures}
    for kind, (begin, _) in IcnsFile(io.BytesIO(content)).dct.items():
        if kind in kinds:
            with suppress(
                Exception
            ):  # data of another kind, of which there are as many as the icon has pixels
                yield _size(content[begin:])


def _size(content: bytes) -> tuple[int, int]:
    with Image.open(io.BytesIO(content), formats=IN_ICONS) as image:
        return image.size


def refuse_large_tiles(image: OpenedFile) -> None:
    """Refuse the frame at which an open file stands if it is decoded in tiles that are larger than it by far.

    Raises:
        DecompressionBombError: it is.
    """
    tags = getattr(image, "tag_v2", {})
    tile = int(tags.get(TILE_WIDTH, 0)) * int(tags.get(TILE_LENGTH, 0))
    if tile > max(TILE_PIXELS, 2 * image.width * image.height):
        raise Image.DecompressionBombError


def most_pixels(image: OpenedFile, frames: int, large: int) -> int | None:
    """Return how many pixels the largest of the first so many frames of an open file has.

    Args:
        large: pixels of a frame of a GIF file after which no other is looked at, since for that Pillow decodes this one:
            None is returned.
    """
    most = image.width * image.height
    if image.format not in OF_ANY_SIZE:
        return most
    with suppress(Exception):  # there are no more, or they are damaged: who decodes stops there, too
        for number in range(1, frames if getattr(image, "is_animated", False) else 1):
            if most >= large and image.format == "GIF":
                return None
            image.seek(number)
            most = max(most, image.width * image.height)
    return most
