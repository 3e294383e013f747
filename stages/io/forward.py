"""Images from files through a network: read, decoded, preprocessed and computed side by side.

On a CPU every worker thread takes single images all the way through, each with one torch thread: for
small networks that is faster than large batches on all cores, and it makes an image's result the same
to the last bit whatever is computed beside it. On an accelerator threads prepare batches ahead of the
network. Batches always have the same shape, filled up with repeats, because kernels may round
differently for another shape.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
from PIL import Image

from stages.io.images import open_image
from stages.io.manifest import ImageFile
from stages.io.parallel import in_threads

Transform = Callable[[Image.Image], torch.Tensor]
Network = Callable[[torch.Tensor], torch.Tensor]

CPU_BATCH, ACCELERATOR_BATCH = 1, 128


def forward_images(
    images: Sequence[ImageFile],
    transform: Transform,
    network: Network,
    device: torch.device,
    *,
    batch_size: int | None = None,
    workers: int | None = None,
) -> Iterator[tuple[Sequence[ImageFile], torch.Tensor]]:
    """Yield ``(images, rows)`` batch by batch, in order.

    Args:
        images: what to read.
        transform: an RGB image to ``(3, height, width)`` float32.
        network: ``(batch_size, 3, height, width)`` on ``device`` to ``(batch_size, …)``.
        batch_size: images a batch; None for 1 on a CPU and 128 on an accelerator.
        workers: threads; None for one a core.

    Raises:
        InputError: a file changed since the catalog was made.
    """
    on_cpu = device.type == "cpu"
    size = batch_size or (CPU_BATCH if on_cpu else ACCELERATOR_BATCH)
    batches = [images[start : start + size] for start in range(0, len(images), size)]

    def prepare(batch: Sequence[ImageFile]) -> torch.Tensor:
        pixels = [transform(open_image(image.path)) for image in batch]
        return torch.stack(pixels + [pixels[-1]] * (size - len(pixels)))

    def compute(pixels: torch.Tensor) -> torch.Tensor:
        with torch.inference_mode():
            return network(pixels.to(device).contiguous(memory_format=torch.channels_last))

    if on_cpu:
        rows = in_threads(lambda batch: compute(prepare(batch)), batches, workers, one_torch_thread)
    else:
        rows = (compute(pixels) for pixels in in_threads(prepare, batches, workers))
    for batch, row in zip(batches, rows, strict=True):
        yield batch, row[: len(batch)]


def one_torch_thread() -> None:
    """Let this thread compute on one core: its result is then the same on any number of cores."""
    torch.set_num_threads(1)
