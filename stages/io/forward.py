"""Images from files through a network: read, decoded, preprocessed and computed side by side.

On a CPU every worker thread takes single images all the way through, each with one torch thread: for
small networks that is faster than large batches on all cores, and it makes an image's result the same
to the last bit whatever is computed beside it. On an accelerator threads prepare batches ahead of the
network. Batches always have the same shape, filled up with repeats, because kernels may round
differently for another shape.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

import torch
from PIL import Image

from stages.io.images import open_image
from stages.io.manifest import ImageFile

Transform = Callable[[Image.Image], torch.Tensor]
Network = Callable[[torch.Tensor], torch.Tensor]
Task = TypeVar("Task")
Result = TypeVar("Result")

CPU_BATCH, ACCELERATOR_BATCH = 1, 128
AHEAD = 2


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
        rows = in_threads(lambda batch: compute(prepare(batch)), batches, workers)
    else:
        rows = (compute(pixels) for pixels in in_threads(prepare, batches, workers))
    for batch, row in zip(batches, rows, strict=True):
        yield batch, row[: len(batch)]


def in_threads(
    function: Callable[[Task], Result], tasks: Iterable[Task], workers: int | None
) -> Iterator[Result]:
    """Yield ``function(task)`` of each task in order, computed in threads with one torch thread each.

    At most ``AHEAD`` results a thread wait in memory.
    """
    count = max(1, os.cpu_count() or 1 if workers is None else workers)
    remaining = iter(tasks)
    with ThreadPoolExecutor(count, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        waiting: deque[Future[Result]] = deque()
        for task in islice(remaining, AHEAD * count):
            waiting.append(pool.submit(function, task))
        try:
            while waiting:
                result = waiting.popleft().result()
                waiting.extend(pool.submit(function, task) for task in islice(remaining, 1))
                yield result
        finally:
            for future in waiting:
                future.cancel()
