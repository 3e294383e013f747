"""Images from files through a network: read, decoded, preprocessed and computed side by side.

On a CPU every worker thread takes batches all the way through, each with one torch thread: that is
faster than all cores on one batch, overlaps decoding with arithmetic, and makes an image's result the same
to the last bit whatever is computed beside it. On an accelerator threads prepare batches in pinned memory
ahead of the network. Batches always have the same shape, filled up with repeats, because kernels may round
differently for another shape. Views of one image stay together, so that it is decoded once: several batches of them are
prepared as one.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import chain, groupby, pairwise
from typing import NamedTuple

import torch

from text2image.base.console import InputError, say
from text2image.base.parallel import in_threads
from text2image.collection.images import open_each
from text2image.collection.manifest import ImageFile
from text2image.encoders.device import keep_freed_memory, one_torch_thread
from text2image.encoders.preprocessing import Transform

Network = Callable[[torch.Tensor], torch.Tensor]

CPU_BATCH, ACCELERATOR_BATCH = 1, 128
TOGETHER = (
    64  # views prepared as one, or two batches if that is more: few enough for memory, enough to fill batches
)


def forward_images(
    images: Sequence[ImageFile],
    transform: Transform,
    network: Network,
    device: torch.device,
    *,
    batch_size: int | None = None,
    workers: int | None = None,
    dtype: torch.dtype = torch.float32,
) -> Iterator[tuple[Sequence[ImageFile], torch.Tensor]]:
    """Yield ``(images, rows)`` batch by batch, in order; an accelerator's rows may still be on their way.

    Args:
        transform: an RGB image to ``(3, height, width)`` float32.
        network: ``(batch_size, 3, height, width)`` of ``dtype`` on ``device`` to ``(batch_size, …)``.
        images: those with a box are views; if they follow each other, their picture is decoded once.
        batch_size: images a batch; None for 1 on a CPU and 128 on an accelerator.
        workers: threads; None for one a core.
        dtype: what the network computes in.

    Raises:
        InputError: a file changed since the catalog was made (the others of its batch have been yielded), or the memory
            does not suffice for one image.
    """
    size = batch_size or (CPU_BATCH if device.type == "cpu" else ACCELERATOR_BATCH)
    batches = list(cut_batches(images, size))
    prepare = partial(_prepare, transform=transform, size=size, dtype=dtype, pinned=device.type == "cuda")
    compute = partial(_compute, network=Halving(network, size), device=device)
    if device.type == "cpu":
        keep_freed_memory()
        rows = in_threads(lambda batch: compute(prepare(batch)), batches, workers, one_torch_thread)
    else:
        started = map(compute, in_threads(prepare, batches, workers, one_torch_thread))
        # Each is yielded after the next was started, so that an accelerator never waits for its reader.
        rows = (row for row, _ in pairwise(chain(started, [None])) if row is not None)
    for part, row in rows:
        if row is not None:
            yield part.images, row[: len(part.images)]
        if part.error:
            raise part.error


def cut_batches(images: Sequence[ImageFile], size: int) -> Iterator[Sequence[ImageFile]]:
    """Yield images ``size`` at a time; where views of one image would come apart, several batches as one.

    Such a piece ends where its batches are full, or else before the first image with which it would have more than
    ``TOGETHER`` views, or two batches if that is more.
    """
    most, piece = max(TOGETHER, 2 * size), list[ImageFile]()
    for _, views in groupby(images, lambda image: image.image_id):
        some = list(views)
        if piece and len(piece) + len(some) > most:
            yield piece
            piece = []
        piece += some
        if len(piece) % size == 0:
            yield piece
            piece = []
    if piece:
        yield piece


class Prepared(NamedTuple):
    """The images of some batches that could be opened, and why others could not.

    Attributes:
        images: the images.
        pixels: ``(n, 3, height, width)``, filled up with repeats to a multiple of the batch size; None without an
            image, or once used.
        error: of the first image that could not be opened; None if all could.
    """

    images: Sequence[ImageFile]
    pixels: torch.Tensor | None
    error: InputError | None


def _prepare(
    batch: Sequence[ImageFile], *, transform: Transform, size: int, dtype: torch.dtype, pinned: bool
) -> Prepared:
    """Return the pixels of some images, filled up with the last one to a multiple of ``size``; pinned for a GPU."""
    opened, error = open_each(batch, transform)
    if not opened:
        return Prepared([], None, error)
    pixels = [tensor for _, tensor in opened]
    stacked = torch.stack(pixels + [pixels[-1]] * (-len(pixels) % size))
    stacked = stacked.to(dtype).contiguous(memory_format=torch.channels_last)
    return Prepared([image for image, _ in opened], stacked.pin_memory() if pinned else stacked, error)


def _compute(
    part: Prepared, *, network: Network, device: torch.device
) -> tuple[Prepared, torch.Tensor | None]:
    """Return a batch without its pixels, and its rows; None if no image of it could be opened."""
    if part.pixels is None:
        return part, None
    with torch.inference_mode():
        return part._replace(pixels=None), network(part.pixels.to(device, non_blocking=True))


class Halving:
    """A network that takes half as many images at once from when the memory does not suffice.

    The smaller shape may change the last bits of results, as another card would.
    """

    def __init__(self, network: Network, size: int) -> None:
        self.network, self.size = network, size

    def __call__(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return the network's rows of ``pixels``; an InputError says that one image is too many."""
        while True:
            size = self.size
            try:
                return torch.cat([self.network(part) for part in pixels.split(size)])
            except torch.OutOfMemoryError:
                if size == 1:
                    raise InputError(
                        "expected a device whose memory holds the model and one image, found too little; "
                        "set runtime.device: cpu, or embed.precision: bf16, in params.yaml"
                    ) from None
            if self.size == size:  # unless another thread has halved it
                self.size = size // 2
                say(f"out of memory with {size} images at once: going on with {self.size}")
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
