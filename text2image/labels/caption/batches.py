"""Images through a captioner: threads decode them and prepare the next batches while the model is at work.

Batches are filled up to the same size with repeats. What stands beside an image in its batch changes its text at
most where two words are equally probable within rounding; a batch of one, as on a CPU, excludes that too.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice
from typing import Any

import torch
from PIL import Image

from text2image.base.console import InputError
from text2image.base.parallel import in_threads
from text2image.base.settings import Runtime
from text2image.collection.images import open_each
from text2image.collection.manifest import ImageFile
from text2image.labels.caption.captioner import Captioner
from text2image.labels.protocol.source import Answer, Ask, ImageAnswer

CPU_BATCH, ACCELERATOR_BATCH = 1, 16
EMPTY = "empty answer"


def caption_images(model: Captioner, device: torch.device, max_side: int, runtime: Runtime) -> Ask:
    """Move a captioner to a device and return what yields a caption for each image, in order.

    Images larger than ``max_side`` pixels are scaled down to it first.
    """
    model.network.to(device)
    size = runtime.batch_size or (CPU_BATCH if device.type == "cpu" else ACCELERATOR_BATCH)

    def picture(image: ImageFile) -> tuple[list[tuple[ImageFile, Image.Image]], InputError | None]:
        return open_each([image], lambda opened: scaled(opened, max_side))

    def captions(images: Sequence[ImageFile]) -> Iterator[ImageAnswer]:
        pictures = in_threads(picture, images, runtime.workers)
        loaded = iter(lambda: list(islice(pictures, size)), [])
        for parts, error in in_threads(partial(prepare_opened, model, size=size), loaded, 1):
            for batch, features in parts:
                yield from zip((image.key for image in batch), answers(model, features, device), strict=False)
            if error:
                raise error

    return captions


def scaled(image: Image.Image, max_side: int) -> Image.Image:
    """Return an image whose longer side is at most ``max_side`` pixels, never enlarged."""
    image.thumbnail((max_side, max_side), Image.Resampling.LANCZOS)
    return image


def prepare_opened(
    model: Captioner,
    opened: Sequence[tuple[list[tuple[ImageFile, Image.Image]], InputError | None]],
    size: int,
) -> tuple[list[tuple[Sequence[ImageFile], Any]], InputError | None]:
    """Return what :func:`prepare` does of the images that could be opened, and why the first other could not."""
    pairs = [pair for made, _ in opened for pair in made]
    first = next((error for _, error in opened if error), None)
    images, pictures = [image for image, _ in pairs], [picture for _, picture in pairs]
    return (prepare(model, images, pictures, size) if pairs else []), first


def prepare(
    model: Captioner, images: Sequence[ImageFile], pictures: list[Image.Image], size: int
) -> list[tuple[Sequence[ImageFile], Any]]:
    """Return a batch with what the model takes, or if that fails its images one by one.

    A strange image thus spoils no other; with it stands the reason why the model cannot take it.
    """
    try:
        return [(images, model.prepare(pictures + [pictures[-1]] * (size - len(pictures))))]
    except Exception as error:  # a processor may raise anything on an image of an odd shape
        if len(images) == 1:
            return [(images, f"the model cannot take this image ({type(error).__name__})")]
        singles = zip(images, pictures, strict=True)
        return [part for image, picture in singles for part in prepare(model, [image], [picture], size)]


def answers(model: Captioner, features: Any, device: torch.device) -> list[Answer]:
    """Return the answers for a batch, those for its repeats included."""
    if isinstance(features, str):
        return [{"failure": features}]
    return [
        {"caption": text, "confidence": confidence} if text else {"failure": EMPTY}
        for text, confidence in model.caption(features, device)
    ]
