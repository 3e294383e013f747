"""Images as users have them: odd modes, damaged files."""

import numpy as np
import pytest
from PIL import Image

from tests.support.pictures import bomb, encoded, gradient
from text2image.collection.images import UnusableImage, decode

LIMIT = 10_000_000


@pytest.mark.parametrize(
    ("image", "format"),
    [
        (gradient(), "JPEG"),
        (gradient().convert("CMYK"), "JPEG"),
        (gradient().convert("L"), "PNG"),
        (gradient().convert("1"), "PNG"),
        (gradient().quantize(8), "GIF"),
        (gradient().convert("L").convert("I;16"), "PNG"),
        (gradient().convert("LA"), "PNG"),
        (gradient(), "WEBP"),
        (gradient(), "TIFF"),
    ],
    ids=lambda value: getattr(value, "mode", value),
)
def test_every_mode_becomes_rgb(image: Image.Image, format: str) -> None:
    assert decode(encoded(image, format)).mode == "RGB"


def test_sixteen_bits_keep_their_brightness() -> None:
    deep = Image.fromarray(np.full((4, 4), 0x8000, dtype=np.uint16))
    assert decode(encoded(deep)).getpixel((0, 0)) == (128, 128, 128)


def test_transparency_is_white() -> None:
    clear = Image.new("RGBA", (4, 4), (255, 0, 0, 0))
    assert decode(encoded(clear)).getpixel((0, 0)) == (255, 255, 255)
    palette = Image.new("P", (4, 4), 0)
    palette.putpalette([255, 0, 0] * 256)
    assert decode(encoded(palette, transparency=0)).getpixel((0, 0)) == (255, 255, 255)


def test_exif_orientation_is_honoured() -> None:
    image = gradient((32, 24))
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    assert decode(encoded(image, "JPEG", exif=exif)).size == (24, 32)
    assert decode(encoded(image, "JPEG", exif=b"Exif\0\0broken")).size == (32, 24)


def test_the_first_frame_of_an_animation() -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    content = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert decode(content).getpixel((0, 0)) == (255, 0, 0)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"just text", "not an image"),
        (encoded(gradient((300, 300)), "JPEG")[:900], "damaged image"),
        (encoded(gradient((300, 300)))[:200], "damaged image"),
        (bomb(), "too many pixels"),
        (encoded(Image.new("1", (4000, 4000))), "too many pixels"),
    ],
    ids=["text", "truncated jpeg", "truncated png", "bomb", "large"],
)
def test_unusable_images_say_why(content: bytes, reason: str) -> None:
    with pytest.raises(UnusableImage, match=reason):
        decode(content, LIMIT)
