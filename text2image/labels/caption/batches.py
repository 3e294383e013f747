"""Images through a captioner: threads decode them and prepare the next batches while the model is at work.

Batches are filled up to the same size with repeats. What stands beside an image in its batch changes its text at
most where two words are equally probable within rounding; a batch of one, as on a CPU, excludes that too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple, TypeVar

import torch
from PIL import Image

from text2image.base.parallel import in_threads
from text2image.base.settings import Runtime
from text2image.collection.images import open_image
from text2image.collection.manifest import ImageFile
from text2image.labels.caption.captioner import Captioner
from text2image.labels.protocol.source import Answer, Ask, ImageAnswer

CPU_BATCH, ACCELERATOR_BATCH = 1, 16
EMPTY = "empty answer"

Item = TypeVar("Item")


class Prepared(NamedTuple):
    """A batch ready for the model: ``features`` is None where the model cannot take its only image."""

    image_ids: list[str]
    features: Any
    failure: str = ""


def caption_images(model: Captioner, device: torch.device, max_side: int, runtime: Runtime) -> Ask:
    """Move a captioner to a device and return what yields a caption for each image, in order.

    Args:
        model: the captioner.
        device: what it computes on.
        max_side: pixels; larger images are scaled down to it first.
        runtime: ``batch_size`` and ``workers``.
    """
    model.network.to(device)
    size = runtime.batch_size or (CPU_BATCH if device.type == "cpu" else ACCELERATOR_BATCH)

    def picture(image: ImageFile) -> Image.Image:
        opened = open_image(image.path)
        opened.thumbnail((max_side, max_side), Image.Resampling.LANCZOS)
        return opened

    def captions(images: Sequence[ImageFile]) -> Iterator[ImageAnswer]:
        pictures = in_threads(picture, images, runtime.workers)
        ids = (image.image_id for image in images)
        batches = _batches(zip(ids, pictures, strict=True), size)
        for parts in in_threads(lambda batch: prepare(model, batch, size), batches, 1):
            for part in parts:
                yield from answer(model, part, device)

    return captions


def prepare(model: Captioner, batch: Sequence[tuple[str, Image.Image]], size: int) -> list[Prepared]:
    """Prepare a batch, or if that fails its images one by one, so that a strange one spoils no other."""
    ids, pictures = [image_id for image_id, _ in batch], [picture for _, picture in batch]
    try:
        return [Prepared(ids, model.prepare(pictures + [pictures[-1]] * (size - len(pictures))))]
    except Exception as error:  # a processor may raise anything on an image of an odd shape
        if len(batch) > 1:
            return [part for single in batch for part in prepare(model, [single], size)]
        return [Prepared(ids, None, f"the model cannot take this image ({type(error).__name__})")]


def answer(model: Captioner, batch: Prepared, device: torch.device) -> Iterator[ImageAnswer]:
    """Yield the answers for a batch."""
    if batch.failure:
        yield batch.image_ids[0], {"failure": batch.failure}
        return
    captions = model.caption(batch.features, device)[: len(batch.image_ids)]  # without the repeats
    for image_id, (text, confidence) in zip(batch.image_ids, captions, strict=True):
        given: Answer = {"caption": text, "confidence": confidence} if text else {"failure": EMPTY}
        yield image_id, given


def _batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    remaining = iter(items)
    while batch := list(islice(remaining, size)):
        yield batch
