"""Files that hold more pixels than their first header says."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable

import pytest
from PIL import Image

from tests.support.pictures import encoded, gradient
from text2image.collection.images import UnusableImage, decode
from text2image.pages.decoding import PIXELS, pixels_of

SIDE = 3_000
WHITE = Image.new("L", (10, 10), 255)


def large() -> Image.Image:
    return gradient((SIDE, SIDE)).convert("L")


def ico(picture: bytes, side: int = 16) -> bytes:
    entry = struct.pack("<BBBBHHII", side, side, 0, 0, 1, 32, len(picture), 22)
    return struct.pack("<HHH", 0, 1, 1) + entry + picture


def bitmap(side: int) -> bytes:
    """A bitmap in an icon: twice as high as it is, for its mask."""
    head = struct.pack("<IiiHHIIiiII", 40, side, 2 * side, 1, 24, 0, 0, 0, 0, 0, 0)
    return head + bytes(side * side * 3 + side * side // 8)


def icns(picture: bytes) -> bytes:
    entry = b"ic07" + struct.pack(">I", 8 + len(picture)) + picture
    return b"icns" + struct.pack(">I", 8 + len(entry)) + entry


def grown_gif(*sides: int) -> bytes:
    """A blank GIF of 10 × 10 pixels with further frames of these sides, larger than the file says it is."""
    content = encoded(WHITE, "GIF")[:-1]
    for side in sides:
        frame = encoded(Image.new("L", (side, side)), "GIF")
        content += frame[frame.index(b"\x2c\0\0\0\0") : -1]
    return content + b"\x3b"


def tiled_tiff(side: int) -> bytes:
    """A TIFF of one pixel in a tile of so many."""
    data = zlib.compress(bytes(side * side), 9)
    tags = [
        (256, 1),
        (257, 1),
        (258, 8),
        (259, 8),
        (262, 1),
        (277, 1),
        (322, side),
        (323, side),
        (324, 134),
        (325, len(data)),
    ]
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + struct.pack("<I", 0) + data


@pytest.mark.parametrize(
    "make",
    [
        lambda: ico(encoded(large())),
        lambda: ico(bitmap(SIDE)),
        lambda: icns(encoded(large().convert("RGBA"))),
        lambda: icns(encoded(large(), "JPEG2000")),
        lambda: tiled_tiff(5_008),
    ],
    ids=["png in ico", "bitmap in ico", "png in icns", "jpeg 2000 in icns", "tiff in a large tile"],
)
def test_what_hides_its_pixels_is_refused_undecoded(make: Callable[[], bytes]) -> None:
    with pytest.raises(UnusableImage, match="too many pixels"):
        decode(make(), 100_000_000)


def test_icons_and_tiles_of_their_usual_sizes_are_decoded() -> None:
    picture = gradient((256, 256))
    assert decode(ico(encoded(picture), 0)).tobytes() == picture.tobytes()
    assert decode(encoded(picture, "ICO", sizes=[(16, 16), (256, 256)])).size == (256, 256)
    assert decode(encoded(picture, "ICO", bitmap_format="bmp")).size == (256, 256)
    assert decode(encoded(picture.resize((1024, 1024)), "ICNS")).size == (1024, 1024)
    assert decode(tiled_tiff(512)).size == (1, 1)


@pytest.mark.parametrize("name", ["TIFF", "MPO"])
def test_a_page_that_is_larger_than_the_first_is_what_is_counted(name: str) -> None:
    content = encoded(WHITE, name, save_all=True, append_images=[WHITE, large(), WHITE])
    assert pixels_of(content) == SIDE * SIDE
    assert decode(content).size == (SIDE, SIDE)


def test_a_gif_that_grows_is_counted_as_all_that_may_be_decoded() -> None:
    assert pixels_of(grown_gif(20, SIDE)) == PIXELS, "what may follow is not looked at"
    assert pixels_of(grown_gif(50, 20)) == 2_500
    assert pixels_of(encoded(WHITE, "GIF")) == 100
