"""Pixels as tensors: those that Pillow gives, to the last bit, of every kind of file, whoever decodes it."""

import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms

from tests.collection.test_golden_pixels import files as golden_files
from tests.support.networks import picture
from tests.support.pictures import encoded, image_file
from tests.support.profiles import PROPHOTO, rgb_profile
from text2image.base.console import InputError
from text2image.collection.images import decode, image_id, open_image
from text2image.collection.manifest import ImageFile
from text2image.encoders.images import decoding
from text2image.encoders.images.decoding import DECODERS, decode_plain, inspect, open_pixels, to_tensor

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
SIZES = ((1, 1), (7, 100), (33, 17), (160, 90), (161, 91))


def orientated(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(picture(61, 40), "JPEG", exif=exif)


def damaged(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes(8) + content[middle + 8 :]


def of_torchvision() -> dict[str, bytes]:
    """Return files that torchvision is to decode, by what is special about them."""
    image = picture(61, 40)
    made = {
        f"jpeg {size} {subsampling} {progressive}": encoded(
            picture(*size), "JPEG", quality=80, subsampling=subsampling, progressive=progressive
        )
        for size in SIZES
        for subsampling in (0, 1, 2, "4:1:1")
        for progressive in (False, True)
    }
    made |= {f"jpeg, orientation {number}": orientated(number) for number in range(10)}
    made |= {f"webp {quality}": encoded(image, "WEBP", quality=quality) for quality in (5, 80, 100)}
    return made | {
        "jpeg, grey": encoded(image.convert("L"), "JPEG"),
        "jpeg, quality 1": encoded(image, "JPEG", quality=1),
        "jpeg, quality 100": encoded(image, "JPEG", quality=100),
        "jpeg, rgb": encoded(image, "JPEG", keep_rgb=True),
        "jpeg, restarts": encoded(image, "JPEG", restart_marker_rows=1),
        "jpeg, sRGB": encoded(image, "JPEG", icc_profile=SRGB),
        "jpeg, followed by other bytes": encoded(image, "JPEG") + b"x" * 99,
        "jpeg, damaged": damaged(encoded(image, "JPEG")),
        "webp, lossless": encoded(image, "WEBP", lossless=True),
    }


def of_pillow() -> dict[str, bytes]:
    """Return files whose pixels have to be made of more than what a decoder gives."""
    image, turned = picture(61, 40), Image.Exif()
    turned[0x0112] = 6
    alpha = image.copy()
    alpha.putalpha(Image.linear_gradient("L").resize(image.size))
    deep = Image.fromarray((np.arange(300 * 200).reshape(200, 300) % 65536).astype(np.uint16))
    frames: dict[str, Any] = {"save_all": True, "append_images": [image.rotate(90)]}
    return {
        "jpeg, cmyk": encoded(image.convert("CMYK"), "JPEG"),
        "jpeg, of other colours": encoded(image, "JPEG", icc_profile=rgb_profile(PROPHOTO, 1.8)),
        **{f"png {mode}": encoded(image.convert(mode)) for mode in ("RGB", "L", "1", "P")},
        "png, palette of few": encoded(image.quantize(3)),
        "png, of 2 bits": encoded(image.quantize(4), bits=2),
        "png, sRGB": encoded(image, icc_profile=SRGB),
        "png, alpha": encoded(alpha),
        "png, one transparent colour": encoded(image, transparency=(255, 0, 40)),
        "png, transparent palette": encoded(image.quantize(64), transparency=3),
        "png, 16 bits": encoded(deep),
        "png, turned": encoded(image, exif=turned),
        "png, frames": encoded(image, **frames),
        "webp, alpha": encoded(alpha, "WEBP"),
        "webp, frames": encoded(image, "WEBP", **frames),
        "gif": encoded(image, "GIF"),
        "tiff": encoded(image, "TIFF"),
        "bmp": encoded(image, "BMP"),
    }


@pytest.mark.parametrize(("kind", "content"), of_torchvision().items(), ids=list(of_torchvision()))
def test_torchvision_gives_the_pixels_that_pillow_gives(kind: str, content: bytes) -> None:
    pixels = decode_plain(content)
    assert pixels is not None, "left to Pillow"
    assert pixels.dtype == torch.uint8
    np.testing.assert_array_equal(pixels.permute(1, 2, 0).numpy(), np.asarray(decode(content)))


@pytest.mark.parametrize(("kind", "content"), of_pillow().items(), ids=list(of_pillow()))
def test_pillow_decodes_what_is_more_than_its_pixels(tmp_path: Path, kind: str, content: bytes) -> None:
    assert inspect(content) is None
    path = tmp_path / "file"
    path.write_bytes(content)
    image = image_file(path)
    pixels = open_pixels(image)
    np.testing.assert_array_equal(pixels.permute(1, 2, 0).numpy(), np.asarray(open_image(image)))


def test_every_golden_file_has_its_pixels_whoever_decodes_it(tmp_path: Path) -> None:
    by_torchvision = 0
    for name, content in golden_files().items():
        path = tmp_path / name.replace("/", " ")
        path.write_bytes(content)
        image = image_file(path)
        by_torchvision += inspect(content) is not None
        for part in (image, image._replace(box=(1, 1, 4, 3))):
            expected = np.asarray(open_image(part))
            np.testing.assert_array_equal(open_pixels(part).permute(1, 2, 0).numpy(), expected, err_msg=name)
    assert by_torchvision >= 7


def test_a_file_is_decoded_by_pillow_where_torchvision_fails() -> None:
    content = encoded(picture(61, 40), "JPEG")

    def fail(*given: object) -> torch.Tensor:
        raise RuntimeError("unsupported")

    with patch.dict(DECODERS, JPEG=fail):
        assert decode_plain(content) is None


@pytest.mark.parametrize("cut", [0, 1, 100, 400])
def test_what_is_no_image_is_neither_decoded_nor_an_error_here(cut: int) -> None:
    assert decode_plain(encoded(picture(61, 40), "JPEG")[:cut]) is None


def test_a_file_that_changed_is_not_decoded(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(encoded(picture(61, 40), "JPEG"))
    image = image_file(path)
    path.write_bytes(encoded(picture(61, 40, seed=1), "JPEG"))
    with pytest.raises(InputError, match="the file changed since"):
        open_pixels(image)


def test_pixels_do_not_pass_through_pillow_for_a_photograph(tmp_path: Path) -> None:
    """Its copy to numpy holds the interpreter's lock, so that threads wait for each other."""
    path = tmp_path / "a.jpg"
    path.write_bytes(encoded(picture(61, 40), "JPEG"))
    image = image_file(path)
    with patch.object(decoding, "open_content", side_effect=AssertionError("decoded by Pillow")):
        open_pixels(image)


@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
def test_what_pillow_leaves_unturned_is_not_turned(tmp_path: Path, kind: str) -> None:
    """It cannot write the EXIF data of the turned image: a number of a type that its tag does not have."""
    exif = Image.Exif()
    exif[0x0112], exif[0x011A] = 6, 72.0
    content = encoded(picture(61, 40), kind, exif=exif)
    assert b"\x01\x1a\x00\x05" in content
    path = tmp_path / "file"
    path.write_bytes(content.replace(b"\x01\x1a\x00\x05", b"\x01\x0a\x00\x05"))
    image = image_file(path)
    expected = np.asarray(open_image(image))
    assert expected.shape == (40, 61, 3)
    np.testing.assert_array_equal(open_pixels(image).permute(1, 2, 0).numpy(), expected)


def test_a_webp_whose_pixels_go_on_behind_its_end_is_refused(tmp_path: Path) -> None:
    content = encoded(picture(24, 17), "WEBP", lossless=True)
    middle = len(content) // 2
    content = content[: middle + 20] + content[middle:]
    path = tmp_path / "a.webp"
    path.write_bytes(content)
    image = ImageFile(image_id(content), path, "")
    for open_it in (open_image, open_pixels):
        with pytest.raises(InputError, match="damaged image"):
            open_it(image)


def test_a_png_of_a_wrong_checksum_has_the_pixels_that_the_catalog_saw(tmp_path: Path) -> None:
    """torchvision's decoder would end the process, so a process of its own opens the file."""
    content = bytearray(encoded(picture(61, 40)))
    content[content.index(b"IEND") - 5] ^= 1
    path = tmp_path / "a.png"
    path.write_bytes(content)
    image = image_file(path)
    code = (
        "import sys; from pathlib import Path; from text2image.collection.manifest import ImageFile;"
        "from text2image.encoders.images.decoding import open_pixels;"
        "print(int(open_pixels(ImageFile(sys.argv[1], Path(sys.argv[2]))).sum()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, image.image_id, path], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) == np.asarray(open_image(image), dtype=np.int64).sum()


@pytest.mark.parametrize("size", [(1, 1), (61, 40), (2500, 2000)])
def test_pixels_of_pillow_are_read_where_they_lie_or_copied(size: tuple[int, int]) -> None:
    """A picture of more than 16 MiB lies in several pieces, which Pillow does not lend."""
    image = picture(*size)
    with patch("numpy.array", side_effect=AssertionError("copied under the lock")):
        try:
            pixels = to_tensor(image)
        except AssertionError:
            assert size == (2500, 2000)
            pixels = None
    pixels = to_tensor(image) if pixels is None else pixels
    image.putpixel((0, 0), (1, 2, 3))  # the tensor is no window on the picture
    expected = np.array(picture(*size))
    np.testing.assert_array_equal(pixels.permute(1, 2, 0).numpy(), expected)
