"""Images as users have them: odd modes, deep and float pixels, colour profiles, other formats, damaged files."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import EpsImagePlugin, Image, ImageCms

from tests.support.pictures import bomb, deep_png, encoded, gradient
from tests.support.profiles import PROPHOTO, SRGB, grey_profile, rgb_profile
from text2image.collection.images import UnusableImage, decode, image_format, render
from text2image.params import MOST_PIXELS

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


def spread(content: bytes) -> tuple[int, int]:
    """Return the darkest and the brightest level of a rendered image."""
    pixels = np.asarray(decode(content))
    return int(pixels.min()), int(pixels.max())


NUMBERS = np.linspace(0, 1, 64).reshape(8, 8)


@pytest.mark.parametrize(
    "values",
    [NUMBERS, NUMBERS * 3, NUMBERS * 4000 - 2000, NUMBERS * 1e-20, np.where(NUMBERS > 0.9, np.inf, NUMBERS)],
    ids=["0 to 1", "0 to 3", "below zero", "tiny", "not finite"],
)
def test_floats_are_never_black(values: np.ndarray) -> None:
    low, high = spread(encoded(Image.fromarray(values.astype(np.float32)), "TIFF"))
    assert low == 0 and (high > 200 or values.max() < 1e-6)


def test_floats_without_a_number_are_rejected() -> None:
    with pytest.raises(UnusableImage, match="float image without a finite number"):
        decode(encoded(Image.fromarray(np.full((4, 4), np.nan, dtype=np.float32)), "TIFF"))


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_deep_grey_is_as_bright_as_its_bits_say(bits: int, format: str) -> None:
    values = np.rint(NUMBERS * (2**bits - 1)).astype(np.uint16)
    image, rendering = render(encoded(Image.fromarray(values), format))
    assert (np.asarray(image)[..., 0] == values >> (bits - 8)).all()
    assert rendering == ("" if bits == 16 else "bits1")


@pytest.mark.parametrize("bits", [12, 16])
def test_deep_colours_keep_all_of_their_bits(bits: int) -> None:
    """Pillow keeps the high bytes alone, of which 12-bit data has 16 levels."""
    values = np.rint(np.random.default_rng(0).random((9, 8, 3)) * (2**bits - 1)).astype(np.uint16)
    values[0, 0] = 2**bits - 1
    image, rendering = render(deep_png(values))
    assert (np.asarray(image) == values >> (bits - 8)).all()
    assert rendering == ("" if bits == 16 else "bits1")


def test_deep_grey_with_alpha_is_visible_too() -> None:
    """Of this kind the low bytes cannot be had: the high ones are scaled alone."""
    values = np.dstack([np.rint(NUMBERS * 4095), np.full((8, 8), 65535)])
    image, rendering = render(deep_png(values))
    assert rendering == "bits1" and spread(encoded(image)) == (0, 240)


def to_srgb(pixels: np.ndarray, gamma: float) -> np.ndarray:
    """Return ProPhoto levels as sRGB levels, by the formulas of the standards."""
    linear = (pixels / 255) ** gamma @ PROPHOTO.T @ np.linalg.inv(SRGB).T
    linear = linear.clip(0, 1)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055) * 255


def test_colours_are_converted_from_the_files_own_profile() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    image, rendering = render(encoded(Image.fromarray(pixels), icc_profile=rgb_profile(PROPHOTO, 1.8)))
    assert rendering == "icc1"
    assert abs(np.asarray(image) - to_srgb(pixels, round(1.8 * 256) / 256)).max() < 1


@pytest.mark.parametrize(
    "profile",
    [b"no profile" * 20, rgb_profile(PROPHOTO, 1.8)[:200], grey_profile(1.8), ImageCms.ImageCmsProfile(
        ImageCms.createProfile("sRGB")).tobytes()],
    ids=["rubbish", "cut short", "of grey", "sRGB"],
)  # fmt: skip
def test_profiles_that_say_nothing_leave_every_bit(profile: bytes) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (9, 8, 3), dtype=np.uint8)
    image, rendering = render(encoded(Image.fromarray(pixels), icc_profile=profile))
    assert (np.asarray(image) == pixels).all() and rendering == ""


def test_a_white_logo_is_seen_and_white_is_the_ground_of_all_else() -> None:
    layer = Image.new("RGBA", (30, 20))
    assert render(encoded(layer)) == (Image.new("RGB", (30, 20), "white"), ""), "there is nothing on it"
    layer.paste((255, 255, 255, 255), (5, 5, 20, 10))
    image, rendering = render(encoded(layer))
    assert (image.getpixel((0, 0)), image.getpixel((6, 6)), rendering) == (
        (0, 0, 0),
        (255, 255, 255),
        "ground1",
    )
    layer.putpixel((25, 15), (200, 0, 0, 255))
    image, rendering = render(encoded(layer))
    assert (image.getpixel((0, 0)), rendering) == ((255, 255, 255), ""), "something can be seen on white"


@pytest.mark.parametrize(
    ("colour", "rendering"),
    [
        ((250, 250, 250, 255), "ground1"),
        ((240, 245, 250, 255), "ground1"),
        ((225, 225, 225, 255), ""),
        ((255, 255, 255, 10), "ground1"),
        ((0, 0, 0, 10), ""),
    ],
    ids=["off-white", "pale blue", "light grey", "hint of white", "faint shadow"],
)
def test_what_is_hardly_seen_on_white_is_on_black(colour: tuple[int, ...], rendering: str) -> None:
    layer = Image.new("RGBA", (30, 20))
    layer.paste(colour, (5, 5, 20, 10))
    assert render(encoded(layer)).rendering == rendering
    page = Image.new("RGBA", (30, 20), "white")
    page.paste((*colour[:3], 255), (5, 5, 20, 10))
    assert render(encoded(page)).rendering == "", "opaque images are as they are"


@pytest.mark.parametrize(
    ("format", "options"), [("GIF", {}), ("PNG", {}), ("WEBP", {"lossless": True}), ("TIFF", {})]
)
def test_an_animation_that_begins_blank_shows_its_first_picture(
    format: str, options: dict[str, object]
) -> None:
    blank, picture = Image.new("RGB", (32, 24), "white"), gradient()
    image, rendering = render(
        encoded(blank, format, save_all=True, append_images=[blank, picture], **options)
    )
    assert rendering == "frame1" and np.asarray(image).std() > 30
    image, rendering = render(encoded(blank, format, save_all=True, append_images=[blank, blank], **options))
    assert rendering == "" and spread(encoded(image)) == (255, 255)


def test_an_animation_that_is_cut_off_keeps_its_first_frame() -> None:
    frames = [Image.effect_noise((64, 48), 90 + n).convert("P") for n in range(3)]
    whole = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    alone = len(encoded(frames[0], "GIF"))
    for length in range(alone + 20, len(whole), 97):
        assert decode(whole[:length]) == decode(whole)
    blank = encoded(Image.new("P", (64, 48)), "GIF", save_all=True, append_images=frames)
    assert spread(blank[:900]) == (0, 0)


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


def test_ghostscript_is_never_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started = tmp_path / "started"
    (tmp_path / "gs").write_text(f"#!/bin/sh\ntouch '{started}'\n")
    (tmp_path / "gs").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(EpsImagePlugin, "gs_binary", None)
    with pytest.raises(
        UnusableImage, match=r"^EPS or PostScript drawing \(not supported: convert to JPEG or PNG\)$"
    ):
        decode(encoded(gradient(), "EPS"))
    assert not started.exists()


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC image (not supported: convert to JPEG or PNG)"),
        (b"\xff\x0a\xfa\x7f\x01\x90", "JPEG XL image (not supported: convert to JPEG or PNG)"),
        (b"\0\0\0\x0cJXL \r\n\x87\n\0\0", "JPEG XL image (not supported: convert to JPEG or PNG)"),
        (b'<?xml version="1.0"?>\n<!-- made -->\n<svg width="3">', "SVG drawing (not supported: convert"),
        (
            b'<?xml version="1.0"?>\n<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "" [' + b"<!ENTITY a 'b'>" * 80 + b"]><svg>",
            "SVG drawing (not supported: convert",
        ),
        (b'<?xml version="1.0"?><svg:svg xmlns:svg="">', "SVG drawing (not supported: convert"),
        ('\ufeff<?xml version="1.0"?><svg>'.encode("utf-16"), "SVG drawing (not supported: convert"),
        (b"%PDF-1.7\n%\xe2", "PDF or Illustrator document (not supported: export its pictures as JPEG or PNG)"),
        (b"\xc5\xd0\xd3\xc6\x20\0", "EPS or PostScript drawing (not supported"),
        (b"8BPS\0\x02" + bytes(30), "Photoshop image of a kind that is not read (not supported: convert"),
        (b"\0\0\0\x20ftypisom\0\0\2\0", "MP4 video (not supported: save a frame as JPEG or PNG)"),
        (b"\0\0\0\x14ftypqt  ", "QuickTime video (not supported: save a frame"),
        (b"\x1aE\xdf\xa3\x9f", "Matroska or WebM video (not supported: save a frame"),
        (b"RIFF\0\0\0\0AVI LIST", "AVI video (not supported: save a frame"),
        (b"PK\x03\x04\x14\0", "ZIP archive or office document (not supported: export its pictures"),
        (b"<!DOCTYPE html>\n<title>404</title>", "HTML page (not supported: it may be the answer to a failed download)"),
        (b"II*\0\x08\0\0\0\0\0\0\0\0\0", "damaged image (TIFF, or a kind of it that is not read)"),
        (b"II\xbc\x01", "JPEG XR image (not supported"),
        (b"SIMPLE  =                    T", "FITS image (not supported"),
    ],
    ids=lambda value: None if isinstance(value, bytes) else value.split("(")[0],
)  # fmt: skip
def test_files_of_other_formats_are_called_what_they_are(content: bytes, named: str) -> None:
    with pytest.raises(UnusableImage) as error:
        decode(content, LIMIT)
    assert str(error.value).startswith(named)


@pytest.mark.parametrize(
    "format", ["AVIF", "BMP", "ICO", "PCX", "PPM", "QOI", "SGI", "TGA", "JPEG2000", "DDS"]
)
def test_formats_that_pillow_decodes_by_itself_are_usable(format: str) -> None:
    assert np.asarray(decode(encoded(gradient((32, 32)), format))).std() > 30


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"just text", "not an image"),
        (encoded(gradient((300, 300)), "JPEG")[:900], "damaged image"),
        (encoded(gradient((300, 300)))[:200], "damaged image"),
        (encoded(gradient((300, 300)), "AVIF")[:-50], "damaged image"),
        (encoded(gradient((300, 300)), "AVIF")[:200], r"damaged image \(AVIF"),
        (bomb(), "too many pixels"),
        (encoded(Image.new("1", (4000, 4000))), "too many pixels"),
    ],
    ids=["text", "truncated jpeg", "truncated png", "truncated avif", "avif header", "bomb", "large"],
)
def test_unusable_images_say_why(content: bytes, reason: str) -> None:
    with pytest.raises(UnusableImage, match=reason):
        decode(content, LIMIT)


def test_pillows_warnings_are_no_word_to_the_user(
    recwarn: pytest.WarningsRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 500)
    large = encoded(gradient((32, 24)))
    assert (decode(large).size, image_format(large)) == ((32, 24), "PNG")
    with pytest.raises(UnusableImage):
        decode(encoded(gradient((300, 300)), "TIFF", compression="tiff_lzw")[:-30])
    assert not recwarn.list


def test_the_most_pixels_that_may_be_asked_for_are_those_that_pillow_decodes() -> None:
    assert Image.MAX_IMAGE_PIXELS is not None
    assert MOST_PIXELS == 2 * Image.MAX_IMAGE_PIXELS
