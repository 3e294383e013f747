"""Images through a captioner: threads decode them and prepare the next batches while the model is at work.

On an accelerator, copying a batch to it, captioning the one before and spelling out the one before that have a thread each,
so that nothing but the model keeps it waiting. On a CPU the model computes in the thread that asks.

Batches are filled up to the same size with repeats. What stands beside an image in its batch changes its text at
most where two words are equally probable within rounding; a batch of one, as on a CPU, excludes that too.
"""

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from functools import partial
from itertools import islice

import torch
from PIL import Image

from text2image.base.console import InputError
from text2image.base.parallel import in_lanes, in_threads, thread_count
from text2image.base.settings import Runtime
from text2image.collection.images import open_each
from text2image.collection.manifest import ImageFile
from text2image.encoders.device import one_torch_thread, replicate
from text2image.labels.caption.captioner import Captioner
from text2image.labels.caption.lanes import Batches, Lane, prepare
from text2image.labels.protocol.source import Ask, ImageAnswer

CPU_BATCH, ACCELERATOR_BATCH = 1, 16
PREPARERS = 4  # threads that prepare batches for accelerators, where a model's processor can work in several

Opened = tuple[list[tuple[ImageFile, Image.Image]], InputError | None]
"""An image with its picture, or why it could not be opened."""


def caption_images(model: Captioner, devices: Sequence[torch.device], max_side: int, runtime: Runtime) -> Ask:
    """Move a captioner to devices, a copy to each, and return what yields a caption for each image, in order.

    Images larger than ``max_side`` pixels are scaled down to it first.
    """
    size = runtime.batch_size or (CPU_BATCH if devices[0].type == "cpu" else ACCELERATOR_BATCH)
    networks = replicate(model.network, devices)
    lanes = [Lane(model, *each, size) for each in zip(networks, devices, strict=True)]

    def picture(image: ImageFile) -> Opened:
        return open_each([image], lambda opened: scaled(opened, max_side))

    def captions(images: Sequence[ImageFile]) -> Iterator[ImageAnswer]:
        pictures = in_threads(picture, images, runtime.workers)
        with closing(answered(lanes, pictures, runtime.workers)) as coming:
            for answers, error in coming:
                yield from answers
                if error:
                    raise error

    return captions


def answered(
    lanes: Sequence[Lane], pictures: Iterator[Opened], workers: int | None
) -> Generator[tuple[list[ImageAnswer], InputError | None], None, None]:
    """Yield the answers batch by batch, in order, each with why an image of it could not be opened."""
    first = lanes[0]

    def loaded() -> Iterator[tuple[int, list[Opened]]]:
        while some := list(islice(pictures, size := min(lane.size for lane in lanes))):
            yield size, some

    ready = partial(prepare_opened, first.model)
    if first.device.type == "cpu":
        for batches in in_threads(ready, loaded(), 1):
            yield first.spell(first.compute(first.load(batches)))
        return
    preparers = min(PREPARERS, thread_count(workers)) if first.model.prepares_in_threads else 1
    prepared = in_threads(ready, loaded(), preparers, one_torch_thread)
    steps = [(lane.load, lane.compute, lane.spell) for lane in lanes]
    yield from in_lanes(
        steps, prepared, waiting=1
    )  # a batch of a large model's input may take half a gigabyte


def scaled(image: Image.Image, max_side: int) -> Image.Image:
    """Return an image whose longer side is at most ``max_side`` pixels, never enlarged."""
    image.thumbnail((max_side, max_side), Image.Resampling.LANCZOS)
    return image


def prepare_opened(model: Captioner, loaded: tuple[int, Sequence[Opened]]) -> Batches:
    """Return a batch of a size, of the images that could be opened, and why the first other could not."""
    size, opened = loaded
    pairs = [pair for made, _ in opened for pair in made]
    error = next((error for _, error in opened if error), None)
    images, pictures = [image for image, _ in pairs], [picture for _, picture in pairs]
    return Batches(prepare(model, images, pictures, size) if pairs else [], error)
