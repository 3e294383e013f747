"""Pictures on which a wrong filter shows, and networks that are small or short of memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from tests.support.pictures import image_file
from text2image.collection.manifest import ImageFile


def picture(width: int, height: int, seed: int = 0) -> Image.Image:
    """Return hard edges and noise, on which a wrong filter or a shift by half a pixel would show."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    pixels[: height // 2, : width // 3] = (255, 0, 40)
    pixels[height // 3 :, width // 2 :] //= 8
    return Image.fromarray(pixels)


def write_pictures(folder: Path, count: int) -> list[ImageFile]:
    """Write pictures of different sizes as lossless files."""
    for number in range(count):
        picture(60 + number, 70, number).save(folder / f"{number}.png")
    return [image_file(folder / f"{number}.png") for number in range(count)]


def sums(pixels: torch.Tensor) -> torch.Tensor:
    return pixels.flatten(1).sum(dim=1, keepdim=True)


class Small:
    """A network on a device with memory for so many images."""

    def __init__(self, fits: int) -> None:
        self.fits, self.tried = fits, list[int]()

    def __call__(self, pixels: torch.Tensor) -> torch.Tensor:
        self.tried.append(len(pixels))
        if len(pixels) > self.fits:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return sums(pixels)
