"""How a picture becomes a network's input: open_clip's preprocessing in two steps, on tensors of uint8.

The first step, resizing and cropping, is made of one picture at a time and leaves levels of 8 bits, which are a quarter as
much to copy as the network's input. The second, scaling and normalising, is made of whole batches, on the device that
computes.

Pillow computes a bicubic resize of RGB in scalar code; torch has the same filter, with antialiasing and the
same fixed-point weights, in vector code. A pixel differs by at most ``TOLERANCE`` of 255 levels, in
rounding alone. Cropping is open_clip's own object, and normalising its arithmetic. A transform that cannot be followed so is applied as
it is, to Pillow's pictures.
"""

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms import CenterCrop, Compose, InterpolationMode, Normalize, Resize

from text2image.collection.images import open_image, part_of
from text2image.collection.manifest import ImageFile
from text2image.encoders.images.decoding import cut, open_pixels

Transform = Callable[[Image.Image], Tensor]
Size = int | list[int] | tuple[int, ...]

TOLERANCE = 1
MODES = {InterpolationMode.BICUBIC: "bicubic", InterpolationMode.BILINEAR: "bilinear"}


class Preprocessing(NamedTuple):
    """How images become a network's input.

    Attributes:
        open_whole: opens the whole of an image in the form that the next two take.
        prepare: makes ``(3, height, width)`` of what was opened and an image, whose box may name a part: uint8, or what
            is normalised already.
        normalise: makes float32 of a batch of these, ``(n, 3, height, width)``, on any device.
        resize: the first step for pixels ``(n, 3, height, width)`` on any device; None where pictures are Pillow's.
    """

    open_whole: Callable[[ImageFile], Any]
    prepare: Callable[[Any, ImageFile], Tensor]
    normalise: Callable[[Tensor], Tensor]
    resize: Callable[[Tensor], Tensor] | None

    def input_of(self, image: ImageFile) -> Tensor:
        """Return the input of one image, ``(3, height, width)`` float32.

        Raises:
            InputError: its file changed since the catalog was made.
        """
        return self.normalise(self.prepare(self.open_whole(image._replace(box=None)), image)[None])[0]

    def example(self, width: int, height: int) -> Tensor:
        """Return an input made of a black picture, ``(3, height, width)`` float32, of which the shape alone counts."""
        if self.resize is not None:
            levels = self.resize(torch.zeros(1, 3, height, width, dtype=torch.uint8))
        else:
            levels = self.prepare(Image.new("RGB", (width, height)), ImageFile("", Path()))[None]
        return self.normalise(levels)[0]


def preprocessing(transform: Transform) -> Preprocessing:
    """Return what does for RGB images what ``transform`` does: on tensors, or with ``transform`` itself.

    Followed is what open_clip makes for ``resize_mode`` ``shortest`` (a resize of the shorter side, then a crop) and
    ``squash``, and timm for most classifiers: Resize, perhaps CenterCrop, the conversions, Normalize.
    """
    steps = followed(transform)
    if steps is None:
        return Preprocessing(
            open_image, lambda picture, image: transform(part_of(picture, image)), keep, None
        )

    def prepare(pixels: Tensor, image: ImageFile) -> Tensor:
        return steps.resize(cut(pixels, image)[None])[0]

    return Preprocessing(open_pixels, prepare, steps.normalise, steps.resize)


def keep(pixels: Tensor) -> Tensor:
    """Return what is normalised already."""
    return pixels


class Steps(NamedTuple):
    """What a transform consists of."""

    size: Size
    mode: str
    crop: CenterCrop | None
    normal: Normalize

    def resize(self, pixels: Tensor) -> Tensor:
        """Return pixels ``(n, 3, height, width)`` uint8 resized and cropped, in the same type."""
        height, width = pixels.shape[-2:]
        size = _target(width, height, self.size)
        if size != (height, width):
            pixels = resized(pixels, size, self.mode)
        return pixels if self.crop is None else self.crop(pixels)

    def normalise(self, pixels: Tensor) -> Tensor:
        """Return levels ``(n, 3, height, width)`` uint8 as float32 with the model's mean and deviation."""
        scale, mean, deviation = constants(
            pixels.device, _numbers(self.normal.mean), _numbers(self.normal.std)
        )
        return pixels.float().div(scale).sub_(mean).div_(deviation)


def _numbers(values: Tensor | Sequence[float]) -> tuple[float, ...]:
    return tuple(torch.as_tensor(values, dtype=torch.float32).tolist())


@cache
def constants(
    device: torch.device, mean: tuple[float, ...], deviation: tuple[float, ...]
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the white level, a mean and a deviation on a device, the latter two ``(channels, 1, 1)``.

    They are kept there: torchvision copies them for every batch and looks whether one is zero, so that a GPU has to finish
    the batch before, and then waits for the next to be started. The white level is a tensor, because a number would be
    multiplied by its inverse on a GPU.
    """
    with torch.inference_mode(mode=False):
        white = torch.tensor(255.0, device=device)
        mean_, deviation_ = (torch.tensor(each, device=device).view(-1, 1, 1) for each in (mean, deviation))
    return white, mean_, deviation_


def followed(transform: Transform) -> Steps | None:
    """Return the steps of a transform; None for one of other steps."""
    steps = list(transform.transforms) if isinstance(transform, Compose) else []
    names = [name for step in steps if (name := type(step).__name__) != "MaybeConvertMode"]  # all are RGB
    crop = names[1:2] == ["CenterCrop"]
    if names != ["Resize", *["CenterCrop"] * crop, "MaybeToTensor", "Normalize"]:
        return None
    resize: Resize = steps[0]
    if resize.interpolation not in MODES or resize.max_size is not None or resize.antialias is not True:
        return None
    return Steps(resize.size, MODES[resize.interpolation], steps[1] if crop else None, steps[-1])


def resized(pixels: Tensor, size: tuple[int, int], mode: str) -> Tensor:
    """Return pixels ``(n, 3, height, width)`` uint8 of another size, in the same type, with antialiasing.

    A GPU has no such filter for whole numbers.
    """
    if pixels.device.type != "cpu":
        return by_floats(pixels, size, mode)
    return torch.nn.functional.interpolate(pixels, size=size, mode=mode, antialias=True)


def by_floats(pixels: Tensor, size: tuple[int, int], mode: str) -> Tensor:
    """Return what :func:`resized` does, computed with floats: at most one level apart.

    First in one direction, then in the other, with whole levels between, as the filter for whole numbers does it: both at
    once would keep what overshoots at edges.
    """
    for step in ((pixels.shape[-2], size[1]), size):
        if step != pixels.shape[-2:]:
            exact = torch.nn.functional.interpolate(pixels.float(), size=step, mode=mode, antialias=True)
            pixels = exact.round_().clamp_(0, 255).to(torch.uint8)
    return pixels


def _target(width: int, height: int, size: Size) -> tuple[int, int]:
    """Return the ``(height, width)`` that torchvision's Resize gives an image, in its own rounding."""
    if not isinstance(size, int) and len(size) == 2:
        return size[0], size[1]
    short = size if isinstance(size, int) else size[0]
    if width <= height:
        return int(short * height / width), short
    return short, int(short * width / height)
