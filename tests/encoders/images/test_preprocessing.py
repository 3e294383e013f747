"""Preprocessing: what open_clip does, up to rounding, for every kind and size of image."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from open_clip.transform import image_transform
from PIL import Image
from timm.data import create_transform
from torchvision.transforms import Normalize

from tests.support.networks import picture
from tests.support.pictures import encoded
from text2image.collection.images import decode
from text2image.collection.manifest import ImageFile
from text2image.encoders.images.decoding import to_tensor
from text2image.encoders.images.preprocessing import TOLERANCE, preprocessing

WHOLE = ImageFile("", Path())


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
    ready = preprocessing(transform)
    assert ready.resize is not None
    levels = ready.prepare(to_tensor(image), WHOLE)
    assert levels.dtype == torch.uint8
    ours, theirs = ready.normalise(levels[None])[0], transform(image)
    assert ours.shape == theirs.shape
    assert ours.dtype == theirs.dtype
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
    ready = preprocessing(transform)
    assert ready.resize is None
    image = picture(90, 61)
    assert torch.equal(ready.normalise(ready.prepare(image, WHOLE)[None])[0], transform(image))
    part = ImageFile("", Path(), box=(10, 20, 70, 50))
    assert torch.equal(ready.prepare(image, part), transform(image.crop(part.box)))
    assert ready.example(64, 64).shape == transform(image).shape


def test_a_part_of_a_picture_is_preprocessed_as_a_picture_of_its_own() -> None:
    ready = preprocessing(image_transform(is_train=False, image_size=32, resize_mode="squash"))
    image, part = picture(90, 61), ImageFile("", Path(), box=(10, 20, 70, 50))
    alone = ready.prepare(to_tensor(image.crop(part.box)), WHOLE)
    assert torch.equal(ready.prepare(to_tensor(image), part), alone)


def test_a_device_that_normalises_gets_the_bits_of_single_pictures() -> None:
    ready = preprocessing(image_transform(is_train=False, image_size=32))
    levels = torch.stack([ready.prepare(to_tensor(picture(60 + n, 70, n)), WHOLE) for n in range(5)])
    together = ready.normalise(levels)
    assert torch.equal(together, torch.cat([ready.normalise(each[None]) for each in levels]))


def test_the_transform_of_a_classifier_of_timm_is_followed() -> None:
    transform = create_transform((3, 32, 32), interpolation="bicubic", crop_pct=0.875)
    ready, image = preprocessing(transform), picture(90, 61)
    assert ready.resize is not None
    apart = (ready.normalise(ready.prepare(to_tensor(image), WHOLE)[None])[0] - transform(image)).abs()
    assert apart.max() < (TOLERANCE + 0.01) / 255 / 0.2


@pytest.mark.parametrize("of", [list, tuple, torch.tensor])
def test_batches_are_normalised_by_constants_that_stay_on_the_device(
    of: Callable[[list[float]], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A copy of a number to a GPU would wait for all that it computes; the bits are those of torchvision."""
    mean, std = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]
    transform = image_transform(is_train=False, image_size=8)
    normal = Normalize(of(mean), of(std))
    transform.transforms[-1] = normal
    ready = preprocessing(transform)
    levels = torch.from_numpy(np.array(picture(32, 24))).permute(2, 0, 1)[None]
    expected = normal(levels.float().div(255.0))
    assert torch.equal(ready.normalise(levels), expected)

    def copied(*given: object, **named: object) -> None:
        raise AssertionError("made anew for every batch")

    monkeypatch.setattr(torch, "tensor", copied)
    assert torch.equal(ready.normalise(levels), expected)
