"""What small files of every kind decode to, to the last bit, beside the version of decoding that it belongs to.

The files are lossless, and so is a JPEG of quality 100 whose blocks of 8 × 8 pixels are of one colour each: its
coefficients hold the blocks' values exactly, so that every JPEG library gives the same pixels.
"""

import hashlib

import numpy as np
import pytest
from PIL import Image, ImageCms

from tests.support.pictures import deep_png, encoded
from tests.support.profiles import PROPHOTO, grey_profile, rgb_profile
from text2image.collection import manifest
from text2image.collection.images import DECODING, decode, decoding_determinants, render
from text2image.collection.rendering import BITS, COLOURS, FLOAT, FRAME, GROUND

SRGB_PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
GOLDEN_DECODING = 1
GOLDEN_PIXELS = {
    "jpeg, exif orientation 2": "c4cef9a1e83f",
    "png, exif orientation 2": "cca96d7be12a",
    "jpeg, exif orientation 3": "e3fce459f1a3",
    "png, exif orientation 3": "1a76f328c660",
    "jpeg, exif orientation 4": "82a5b5a0d899",
    "png, exif orientation 4": "1d39b95a4038",
    "jpeg, exif orientation 5": "0aa7d8c7867b",
    "png, exif orientation 5": "faae56862814",
    "jpeg, exif orientation 6": "ce6595f115c3",
    "png, exif orientation 6": "9c073f756804",
    "jpeg, exif orientation 7": "7f96154ca308",
    "png, exif orientation 7": "d296b3348425",
    "jpeg, exif orientation 8": "56841ff8b6a0",
    "png, exif orientation 8": "d92da7f824c6",
    "colour": "d5fdad8cac17",
    "alpha": "eb047c63ccc4",
    "alpha, webp": "eb047c63ccc4",
    "one transparent colour": "3476c2d5b83d",
    "palette": "6ed4b2ac423a",
    "palette, one transparent": "277b746d6922",
    "palette, half transparent": "f2d8d0d709b5",
    "16 bits": "aceae52ffaea",
    "16 bits, tiff": "aceae52ffaea",
    "32 bits, tiff": "aceae52ffaea",
    "cmyk, tiff": "87b0281a9fcc",
    "cmyk, jpeg": "c509427e3603",
    "grey": "2d99d49347b9",
    "grey with a profile": "2d99d49347b9",
    "colour with a profile": "d5fdad8cac17",
    "grey and alpha": "9c72a5618761",
    "one bit": "2e1cca38e85b",
    "first frame of a gif": "6ed4b2ac423a",
    "whole floats": "2d99d49347b9",
}
"""Of files whose rendering has no name: what is stored of them stays valid for as long as these stay the same."""

GOLDEN_RENDERINGS = {
    "12 bits in 16": ("bits1", "02774d0f9f63"),
    "12 bits in 16, tiff": ("bits1", "02774d0f9f63"),
    "12 bits in 16, colour": ("bits1", "17da20f3d434"),
    "8 bits in 16": ("bits1", "887247a4fd51"),
    "more than 16 bits": ("bits1", "557921f7cf3b"),
    "floats from 0 to 1": ("float1", "e37679ce02ce"),
    "floats of any size": ("float1", "04c05e516425"),
    "profile of colours": ("icc1", "0cf5c0cac02b"),
    "profile of grey": ("icc1", "34acde613ea6"),
    "white on nothing": ("ground1", "2d99d49347b9"),
    "white on nothing, with a profile": ("ground1+icc1", "5db69153d280"),
    "gif that begins blank": ("frame1", "6d386cf9b3bc"),
}
"""Of files whose rendering has a name, which belongs to the pixels."""


def ramp(height: int, width: int, channels: int) -> np.ndarray:
    """Return ``(height, width, channels)`` uint8 in which no row, column or channel is like another."""
    values = np.arange(height * width * channels, dtype=np.int64) ** 2 * 7 % 251
    return values.reshape(height, width, channels).astype(np.uint8)


def blocks(channels: int) -> np.ndarray:
    """Return 2 × 3 blocks of 8 × 8 pixels of one colour each."""
    return np.kron(ramp(2, 3, channels), np.ones((8, 8, 1), dtype=np.uint8))


def files() -> dict[str, bytes]:
    colour, alpha = Image.fromarray(ramp(5, 7, 3)), Image.fromarray(ramp(5, 7, 4))
    grey, grey_alpha = Image.fromarray(ramp(5, 7, 1)[..., 0]), Image.fromarray(ramp(5, 7, 2), "LA")
    palette = Image.fromarray(ramp(5, 7, 1)[..., 0] % 4, "P")
    palette.putpalette([250, 10, 20, 30, 240, 50, 60, 70, 230, 5, 5, 5])
    deep = Image.fromarray((np.arange(35).reshape(5, 7) * 1873).astype(np.uint16))
    turned = {}
    for orientation in range(2, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        turned[f"jpeg, exif orientation {orientation}"] = encoded(
            Image.fromarray(blocks(1)[..., 0]), "JPEG", quality=100, exif=exif
        )
        turned[f"png, exif orientation {orientation}"] = encoded(colour, exif=exif)
    return (
        turned
        | special_files()
        | {
            "colour": encoded(colour),
            "alpha": encoded(alpha),
            "alpha, webp": encoded(alpha, "WEBP", lossless=True, exact=True),
            "one transparent colour": encoded(colour, transparency=tuple(ramp(5, 7, 3)[1, 2].tolist())),
            "palette": encoded(palette),
            "palette, one transparent": encoded(palette, transparency=2),
            "palette, half transparent": encoded(palette, transparency=bytes([255, 128, 0, 30])),
            "16 bits": encoded(deep),
            "16 bits, tiff": encoded(deep, "TIFF"),
            "32 bits, tiff": encoded(
                Image.fromarray((np.arange(35).reshape(5, 7) * 1873).astype(np.int32)), "TIFF"
            ),
            "cmyk, tiff": encoded(Image.fromarray(ramp(5, 7, 4), "CMYK"), "TIFF"),
            "cmyk, jpeg": encoded(Image.fromarray(blocks(4), "CMYK"), "JPEG", quality=100, subsampling=0),
            "grey": encoded(grey),
            "grey with a profile": encoded(grey, icc_profile=SRGB_PROFILE),
            "colour with a profile": encoded(colour, icc_profile=SRGB_PROFILE),
            "grey and alpha": encoded(grey_alpha),
            "one bit": encoded(Image.fromarray(ramp(5, 7, 1)[..., 0] > 125)),
            "first frame of a gif": encoded(
                palette, "GIF", save_all=True, append_images=[Image.new("P", (7, 5), 3)]
            ),
            "whole floats": encoded(Image.fromarray(ramp(5, 7, 1)[..., 0].astype(np.float32)), "TIFF"),
        }
    )


def special_files() -> dict[str, bytes]:
    """Files whose pixels would be black, blank or of wrong colours if they were taken as they are."""
    numbers = np.arange(35).reshape(5, 7)
    colour, twelve = Image.fromarray(ramp(5, 7, 3)), Image.fromarray((numbers * 117).astype(np.uint16))
    white = np.dstack([np.full((5, 7, 3), 255, dtype=np.uint8), ramp(5, 7, 1)])
    return {
        "12 bits in 16": encoded(twelve),
        "12 bits in 16, tiff": encoded(twelve, "TIFF"),
        "12 bits in 16, colour": deep_png(np.dstack([numbers * 117, numbers * 31, numbers % 5])),
        "8 bits in 16": encoded(Image.fromarray((numbers * 7).astype(np.uint16))),
        "more than 16 bits": encoded(Image.fromarray((numbers * 10**6 - 99).astype(np.int32)), "TIFF"),
        "floats from 0 to 1": encoded(Image.fromarray((numbers / 34).astype(np.float32)), "TIFF"),
        "floats of any size": encoded(Image.fromarray((numbers * 3.3 - 7).astype(np.float32)), "TIFF"),
        "profile of colours": encoded(colour, icc_profile=rgb_profile(PROPHOTO, 1.8)),
        "profile of grey": encoded(Image.fromarray(ramp(5, 7, 1)[..., 0]), icc_profile=grey_profile(1.8)),
        "white on nothing": encoded(Image.fromarray(white)),
        "white on nothing, with a profile": encoded(
            Image.fromarray(white - ramp(5, 7, 4) // 64), icc_profile=rgb_profile(PROPHOTO, 1.8)
        ),
        "gif that begins blank": encoded(
            Image.new("RGB", (7, 5), "white"), "GIF", save_all=True, append_images=[colour.quantize(4)]
        ),
    }


def pixel_hash(image: Image.Image) -> str:
    about = f"{image.mode} {image.width} {image.height} ".encode()
    return hashlib.sha256(about + image.tobytes()).hexdigest()[:12]


@pytest.mark.parametrize(("kind", "content"), files().items(), ids=list(files()))
def test_decoded_pixels_are_those_of_the_version(kind: str, content: bytes) -> None:
    image, rendering = render(content)
    golden = GOLDEN_RENDERINGS.get(kind) or ("", GOLDEN_PIXELS.get(kind))
    assert (DECODING, rendering, pixel_hash(image)) == (GOLDEN_DECODING, *golden), (
        "pixels changed: raise DECODING, or the number in the rendering's name, and update the golden value"
    )


def test_each_way_of_rendering_is_in_the_golden_files() -> None:
    named = {name for rendering, _ in GOLDEN_RENDERINGS.values() for name in rendering.split("+")}
    assert named == {BITS, FLOAT, COLOURS, GROUND, FRAME}
    assert {name.rstrip("0123456789") for name in named} == {"bits", "float", "icc", "ground", "frame"}
    assert COLOURS.startswith(manifest.COLOURS), "by which keys of paid answers leave it out"


def test_orientation_alpha_and_depth_are_seen_in_the_golden_files() -> None:
    """The files are such that leaving out a step of decoding changes pixels."""
    pixels = {kind: np.asarray(decode(content)) for kind, content in files().items()}
    as_they_lie = blocks(1).repeat(3, axis=2)
    assert (pixels["jpeg, exif orientation 3"] == np.rot90(as_they_lie, 2)).all(), "exact, though a JPEG"
    assert (pixels["jpeg, exif orientation 6"] == np.rot90(as_they_lie, -1)).all()
    cmyk = Image.fromarray(blocks(4), "CMYK").convert("RGB")
    assert (pixels["cmyk, jpeg"] == np.asarray(cmyk)).all(), "exact, though a JPEG"
    assert (pixels["colour"] == ramp(5, 7, 3)).all()
    assert (pixels["alpha"] != ramp(5, 7, 4)[..., :3]).any()
    assert (pixels["16 bits"][..., 0] == np.arange(35).reshape(5, 7) * 1873 // 256).all()


def test_version_1_is_not_named_so_that_keys_from_before_stay_valid(monkeypatch: pytest.MonkeyPatch) -> None:
    for version, expected in ((1, {}), (2, {"decoding": 2})):
        monkeypatch.setattr("text2image.collection.images.DECODING", version)
        assert decoding_determinants() == expected
