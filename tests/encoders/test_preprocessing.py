"""Preprocessing: what open_clip does, up to rounding, for every kind and size of image."""

import numpy as np
import pytest
import torch
from open_clip.transform import image_transform
from PIL import Image

from tests.support.networks import picture
from tests.support.pictures import encoded
from text2image.collection.images import decode
from text2image.encoders.preprocessing import TOLERANCE, fast


def files() -> dict[str, bytes]:
    image, turned = picture(300, 200), Image.Exif()
    turned[0x0112] = 6
    alpha = image.copy()
    alpha.putalpha(Image.linear_gradient("L").resize(image.size))
    deep = Image.fromarray((np.arange(300 * 200).reshape(200, 300) % 65536).astype(np.uint16))
    return {
        "jpeg": encoded(image, "JPEG"),
        "progressive": encoded(image, "JPEG", progressive=True, subsampling=0),
        "exif orientation": encoded(image, "JPEG", exif=turned),
        "cmyk": encoded(image.convert("CMYK"), "JPEG"),
        "grey": encoded(image.convert("L"), "JPEG"),
        "palette": encoded(image.quantize(64), "PNG"),
        "palette with transparency": encoded(image.quantize(64), "PNG", transparency=3),
        "alpha": encoded(alpha, "PNG"),
        "grey and alpha": encoded(alpha.convert("LA"), "PNG"),
        "16 bits": encoded(deep, "PNG"),
        "one bit": encoded(image.convert("1"), "PNG"),
        "gif": encoded(image, "GIF"),
        "webp": encoded(alpha, "WEBP"),
    }


def levels_apart(image: Image.Image, **options: object) -> torch.Tensor:
    """Return by how many of 255 levels the fast transform differs from open_clip's."""
    mean, std = (0.48, 0.46, 0.41), (0.27, 0.26, 0.28)
    transform = image_transform(is_train=False, mean=mean, std=std, **options)
    quick = fast(transform)
    assert quick is not transform
    ours, theirs = quick(image), transform(image)
    assert ours.shape == theirs.shape
    assert ours.dtype == theirs.dtype
    assert ours.is_contiguous()
    return (ours - theirs).abs() * torch.tensor(std).view(3, 1, 1) * 255


@pytest.mark.parametrize(("kind", "content"), files().items(), ids=list(files()))
@pytest.mark.parametrize("resize_mode", ["shortest", "squash"])
def test_every_kind_of_file_is_preprocessed_as_open_clip_does_it(
    kind: str, content: bytes, resize_mode: str
) -> None:
    apart = levels_apart(decode(content), image_size=64, resize_mode=resize_mode)
    assert apart.max() < TOLERANCE + 0.01
    assert apart.mean() < 0.02


@pytest.mark.parametrize(
    "size", [(1, 1), (1, 90), (700, 9), (63, 64), (64, 64), (65, 64), (97, 241), (900, 611)]
)
@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
@pytest.mark.parametrize("image_size", [64, (64, 64), (48, 64)])
def test_every_size_is_preprocessed_as_open_clip_does_it(
    size: tuple[int, int], interpolation: str, image_size: int | tuple[int, int]
) -> None:
    mode = "squash" if image_size == (48, 64) else "shortest"
    for resize_mode in {mode, "squash"}:
        apart = levels_apart(
            picture(*size), image_size=image_size, resize_mode=resize_mode, interpolation=interpolation
        )
        assert apart.max() < TOLERANCE + 0.01
        assert apart.mean() < 0.02


@pytest.mark.parametrize("options", [{"image_size": 64, "resize_mode": "longest"}, {"image_size": (48, 64)}])
def test_other_transforms_are_left_as_they_are(options: dict[str, object]) -> None:
    transform = image_transform(is_train=False, **options)
    assert fast(transform) is transform
