"""Pixels of images as tensors, decoded outside the interpreter's lock wherever torchvision gives those that Pillow gives.

What an image's pixels are is decided by :mod:`text2image.collection.images`, which decodes with Pillow. But pixels leave
Pillow in a copy that holds the interpreter's lock for a millisecond of a photograph, a third of all that it takes to be
prepared, so that more than three threads were of no use. torchvision's decoders are the same libraries without the lock, and
write straight into a tensor. They are used for files of which they are known to give the same pixels, which is most;
tests/encoders/images/test_decoding.py compares them to the last bit.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

import cv2
import nanoarrow
import numpy as np
import torch
from PIL import Image, ImageOps
from PIL.ImageFile import ImageFile as OpenedFile
from torch import Tensor
from torchvision.io import ImageReadMode, decode_jpeg, decode_webp

from text2image.base.parallel import one_opencv_thread
from text2image.collection.images import (
    UPRIGHT,
    open_content,
    open_pillow,
    orientation,
    read_image_bytes,
)
from text2image.collection.manifest import ImageFile
from text2image.collection.profiles import is_srgb

one_opencv_thread()

MODES = {"JPEG": ("L", "RGB"), "WEBP": ("RGB",)}
"""Pillow's names of formats and modes that torchvision decodes to the same pixels.

PNG is not among them: torchvision 0.29 ends the process where rows of a PNG file are damaged, as by a wrong checksum that
Pillow overlooks.
"""

DECODERS = {"JPEG": decode_jpeg, "WEBP": decode_webp}

TURNS: dict[int, Callable[[Tensor], Tensor]] = {
    2: lambda pixels: pixels.flip(-1),
    3: lambda pixels: pixels.flip(-1, -2),
    4: lambda pixels: pixels.flip(-2),
    5: lambda pixels: pixels.transpose(-1, -2),
    6: lambda pixels: pixels.rot90(-1, (-2, -1)),
    7: lambda pixels: pixels.flip(-1, -2).transpose(-1, -2),
    8: lambda pixels: pixels.rot90(1, (-2, -1)),
}
"""What brings pixels upright, by EXIF orientation (EXIF 3.0, 4.6.5.1.6)."""


class Encoded(NamedTuple):
    """A file of which torchvision gives the pixels that Pillow gives.

    Attributes:
        content: ``(n_bytes,)`` uint8: the file.
        format: JPEG or WEBP.
        orientation: how its pixels lie, as EXIF says it; 1 for upright.
        n_pixels: width by height.
    """

    content: Tensor
    format: str
    orientation: int
    n_pixels: int

    def upright(self, pixels: Tensor) -> Tensor:
        """Return pixels ``(3, height, width)`` as the image is to be seen."""
        turn = TURNS.get(self.orientation)
        return pixels if turn is None else turn(pixels)


def open_pixels(image: ImageFile) -> Tensor:
    """Return the pixels of :func:`text2image.collection.images.open_image` as ``(3, height, width)`` uint8.

    Raises:
        InputError: as there.
    """
    return pixels_of(image, read_image_bytes(image))


def open_encoded(image: ImageFile) -> Encoded | Tensor:
    """Return a JPEG file as it is, where its pixels are taken as they are; of other images, the pixels.

    Raises:
        InputError: as :func:`open_pixels`.
    """
    content = read_image_bytes(image)
    if not image.rendering and (encoded := inspect(content)) and encoded.format == "JPEG":
        return encoded
    return pixels_of(image, content)


def pixels_of(image: ImageFile, content: bytes) -> Tensor:
    """Return the pixels of an image of whose file the bytes have been read, as :func:`open_pixels` does."""
    pixels = None if image.rendering else decode_plain(content)
    if pixels is None:
        pixels = to_tensor(open_content(image, content))
    return cut(pixels, image)


def decode_plain(content: bytes) -> Tensor | None:
    """Return the upright pixels of a file, ``(3, height, width)`` uint8; None if Pillow has to decode it."""
    encoded = inspect(content)
    if encoded is None:
        return None
    with suppress(RuntimeError):  # a damaged file, of which Pillow decides what becomes
        return encoded.upright(DECODERS[encoded.format](encoded.content, ImageReadMode.RGB))
    return None


def inspect(content: bytes) -> Encoded | None:
    """Return a file whose pixels are taken as they are, of a kind that torchvision decodes alike; None for others."""
    with suppress(Exception), open_pillow(content) as opened:  # Pillow may raise anything on a damaged file
        if opened.mode in MODES.get(opened.format or "", ()) and _is_plain(opened, content):
            data = torch.frombuffer(bytearray(content), dtype=torch.uint8)
            return Encoded(data, str(opened.format), _lies(opened), opened.width * opened.height)
    return None


def _lies(opened: OpenedFile) -> int:
    """Return the EXIF orientation by which Pillow turns an image.

    Raises:
        Exception: of any kind, where Pillow fails to write the EXIF data of the turned image and so leaves it as it lies.
    """
    lies = orientation(opened)
    if lies != UPRIGHT:
        sample = Image.new("L", (1, 1))
        sample.info = opened.info
        ImageOps.exif_transpose(sample)
    return lies


def _is_plain(opened: OpenedFile, content: bytes) -> bool:
    """Say whether the pixels in a file are those to be seen: opaque, 8 bits a channel, in sRGB, and of one frame.

    Nor is a WebP file plain that is longer or shorter than it says: torchvision reads on behind its end.
    """
    profile = opened.info.get("icc_profile")
    if profile and not is_srgb(opened, profile):
        return False
    if opened.format == "JPEG":
        return True
    whole = int.from_bytes(content[4:8], "little") + 8 == len(content)
    return whole and not getattr(opened, "is_animated", False)


def to_tensor(picture: Image.Image) -> Tensor:
    """Return the pixels of an RGB picture as ``(3, height, width)`` uint8.

    They are read where they lie, by way of Arrow's C data interface: numpy's way copies them under the interpreter's lock.
    Pillow lends a picture so if it lies in one piece, which those of more than some 4 million pixels do not.
    """
    try:
        lent = nanoarrow.c_array(picture)
    except ValueError:
        return torch.from_numpy(np.array(picture)).permute(2, 0, 1)
    pixels = np.asarray(lent.child(0).view().buffer(1)).reshape(picture.height, picture.width, -1)
    return torch.from_numpy(cv2.cvtColor(pixels, cv2.COLOR_RGBA2RGB)).permute(2, 0, 1)


def cut(pixels: Tensor, image: ImageFile) -> Tensor:
    """Return the part of a whole picture's pixels that an image's box names; without one, all of them."""
    if image.box is None:
        return pixels
    left, top, right, bottom = image.box
    return pixels[:, top:bottom, left:right]
