"""Damaged image files: pixels, or a reason; whoever decodes."""

from __future__ import annotations

from io import BytesIO

import numpy as np
from hypothesis import example, given
from PIL import Image

from tests.collection.test_golden_pixels import files
from tests.support.fuzzing import fuzz, mutated, refused
from tests.support.pictures import bomb, encoded, golden_picture
from text2image.collection.images import UnusableImage, decode, render
from text2image.collection.signatures import formats
from text2image.encoders.images.decoding import decode_plain

MAX_PIXELS = 100_000
PIECES = (
    b"", b"\0", b"\xff", b"\xff" * 4, b"\x7f\xff\xff\xff", b"\x80\0\0\0", b"\0\0\xff\xff", b"\xff\xd9", b"IDAT", b"ICCP", b"\0" * 99,
)  # fmt: skip


def of_each_format() -> list[bytes]:
    """Return small valid files: those of golden pixels, and one of each format that Pillow writes and that is decoded."""
    contents = list(files().values())
    for name in sorted(set(formats()) & set(Image.SAVE)):
        for picture in (golden_picture(24, 17), golden_picture(24, 17).convert("1")):
            try:
                contents.append(encoded(picture, name))
            except (OSError, ValueError):  # the format has no such mode
                continue
    return contents


@fuzz(400)
@given(content=mutated(of_each_format(), PIECES))
@example(content=bomb())
def test_a_damaged_image_has_pixels_or_a_reason(content: bytes) -> None:
    rendered = refused(lambda: render(content, MAX_PIXELS), UnusableImage)
    if rendered is not None:
        assert rendered.image.mode == "RGB"
        assert 0 < rendered.image.width * rendered.image.height <= MAX_PIXELS
        pixels = decode_plain(content)
        if pixels is not None:
            np.testing.assert_array_equal(pixels.permute(1, 2, 0).numpy(), np.asarray(decode(content)))


def test_each_format_that_is_decoded_and_written_is_among_the_valid_files() -> None:
    kinds = set()
    for content in of_each_format():
        with Image.open(BytesIO(content)) as image:
            kinds.add(image.format)
    assert {"JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "JPEG2000", "ICO", "PCX", "PPM", "TGA"} <= kinds
