"""Images from files through a network: read, decoded, preprocessed and computed side by side.

On a CPU every worker thread takes batches all the way through, each with one torch thread: that is
faster than all cores on one batch, overlaps decoding with arithmetic, and makes an image's result the same
to the last bit whatever is computed beside it. For accelerators the threads read and decode, and each accelerator has a lane
of its own that copies, computes and fetches results (:mod:`text2image.encoders.images.accelerators`). Batches always have
the same shape, filled up with repeats, because kernels may round differently for another shape. Views of one image stay
together, so that it is decoded once: several batches of them are prepared as one.
"""

from collections.abc import Iterator, Sequence
from contextlib import closing
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from text2image.base.console import InputError
from text2image.base.memory import keep_freed_memory
from text2image.base.parallel import in_lanes, in_threads
from text2image.collection.manifest import ImageFile
from text2image.encoders.device import one_torch_thread
from text2image.encoders.images.accelerators import Accelerator
from text2image.encoders.images.memory import Halving, Network
from text2image.encoders.images.preparing import cut_batches, prepare, regroup
from text2image.encoders.images.preprocessing import Preprocessing

CPU_BATCH, ACCELERATOR_BATCH = 1, 256
PIECE = 16  # images that a thread prepares at once: few, so that all threads are busy to the end


class Replica(NamedTuple):
    """A network, ``(batch_size, 3, height, width) -> (batch_size, …)``, and the device that it lies on."""

    network: Network
    device: torch.device


def forward_images(
    images: Sequence[ImageFile],
    preprocessing: Preprocessing,
    replicas: Sequence[Replica],
    *,
    batch_size: int | None = None,
    workers: int | None = None,
    dtype: torch.dtype = torch.float32,
    decode: str = "cpu",
) -> Iterator[tuple[Sequence[ImageFile], Tensor]]:
    """Yield ``(images, rows)`` batch by batch, in order, the rows on the CPU.

    Args:
        images: those with a box are views; if they follow each other, their picture is decoded once.
        preprocessing: how they become the network's input.
        replicas: the network on a CPU, or on each of some accelerators, which take turns.
        batch_size: images a batch; None for 1 on a CPU and 256 on an accelerator.
        workers: threads that read and decode, and on a CPU compute; None for one a core.
        dtype: what the network computes in.
        decode: ``embed.decode``: gpu has accelerators decode JPEG files and resize them.

    Raises:
        InputError: a file changed since the catalog was made (the others of its batch have been yielded), or the memory
            does not suffice for one image.
    """
    keep_freed_memory()
    on_cpu = replicas[0].device.type == "cpu"
    size = batch_size or (CPU_BATCH if on_cpu else ACCELERATOR_BATCH)
    if on_cpu:
        made = on_processor(replicas[0].network, images, preprocessing, size, workers, dtype)
    else:
        accelerators = [
            Accelerator(replica.network, replica.device, preprocessing, size, dtype) for replica in replicas
        ]
        made = on_accelerators(accelerators, images, workers, encoded=decode == "gpu")
    for some, rows, error in made:
        if rows is not None:
            yield some, rows[: len(some)]
        if error:
            raise error


Made = tuple[Sequence[ImageFile], Tensor | None, InputError | None]
"""Images, their rows and those of repeats, and why another image has none; rows are None without an image."""


def on_processor(
    network: Network,
    images: Sequence[ImageFile],
    preprocessing: Preprocessing,
    size: int,
    workers: int | None,
    dtype: torch.dtype,
) -> Iterator[Made]:
    """Yield what a network on the CPU makes of images, batch by batch, in order."""
    halving = Halving(network, size)

    def compute(batch: Sequence[ImageFile]) -> Made:
        part = prepare(batch, preprocessing)
        if not part.images:
            return [], None, part.error
        inputs = [each for each in part.inputs if isinstance(each, Tensor)]
        stacked = torch.stack(inputs + [inputs[-1]] * (-len(inputs) % size))
        pixels = preprocessing.normalise(stacked).to(dtype).contiguous(memory_format=torch.channels_last)
        with torch.inference_mode():
            return part.images, halving(pixels), part.error

    return in_threads(compute, cut_batches(images, size), workers, one_torch_thread)


def on_accelerators(
    accelerators: Sequence[Accelerator],
    images: Sequence[ImageFile],
    workers: int | None,
    *,
    encoded: bool = False,
) -> Iterator[Made]:
    """Yield what accelerators make of images, batch by batch, in order; threads prepare them ahead.

    Args:
        accelerators: alike but for their devices.
        encoded: JPEG files are decoded by the accelerators.
    """
    first = accelerators[0]
    read = partial(prepare, preprocessing=first.preprocessing, encoded=encoded)
    lanes = [(each.load, each.compute, each.fetch) for each in accelerators]
    with (
        closing(in_threads(read, cut_batches(images, PIECE), workers, one_torch_thread)) as pieces,
        closing(in_lanes(lanes, regroup(pieces, first.size))) as computed,
    ):
        for part, rows in computed:
            yield part.images, rows, part.error
