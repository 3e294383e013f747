"""How many images a second threads prepare on machines of more cores than this one: ``python -m benchmarks.threads``.

The interpreter's lock decides that, and two cores hide it. Here decoding and resizing, which are done without the lock, are
replaced by sleeping as long as they take on one core here, so that any number of threads can be at it at once. All else is
real: reading, hashing, looking at the header, and what holds the lock. *numpy's copy* is what this project did before: the
pixels leave Pillow through ``np.array``, and are scaled and normalised image by image.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch
from open_clip.transform import image_transform
from torchvision.io import ImageReadMode
from torchvision.transforms import Normalize

from benchmarks.gpu import make_files
from benchmarks.table import Row, against, reference, report, require
from text2image.base.memory import keep_freed_memory
from text2image.base.parallel import in_threads
from text2image.collection.images import open_image
from text2image.collection.manifest import ImageFile
from text2image.encoders.device import one_torch_thread
from text2image.encoders.images import preprocessing as module
from text2image.encoders.images.decoding import DECODERS, open_pixels
from text2image.encoders.images.preprocessing import Preprocessing, preprocessing

FILES, IMAGES = 64, 1200
THREADS = (2, 16, 64)
NORMAL = Normalize((0.48, 0.46, 0.41), (0.27, 0.26, 0.28))


def ours(ready: Preprocessing, image: ImageFile) -> object:
    """Prepare an image as embedding does."""
    return ready.prepare(ready.open_whole(image), image)


def before(ready: Preprocessing, image: ImageFile) -> object:
    """Prepare an image by way of numpy's copy."""
    pixels = torch.from_numpy(np.array(open_image(image))).permute(2, 0, 1)
    return NORMAL(ready.prepare(pixels, image).contiguous().float().div(255))


def per_image(work: Callable[[ImageFile], object], files: list[ImageFile], threads: int) -> float:
    """Return the seconds of an image in so many threads."""
    many = [files[number % len(files)] for number in range(IMAGES)]
    start = time.perf_counter()
    for _ in in_threads(work, many, threads, one_torch_thread):
        pass
    return (time.perf_counter() - start) / IMAGES


def rows() -> Iterator[Row]:
    """Yield the time of 1,000 images by number of threads."""
    keep_freed_memory()
    ready = preprocessing(image_transform(is_train=False, image_size=224))
    with tempfile.TemporaryDirectory() as folder:
        files = make_files(Path(folder), FILES)
        pixels = open_pixels(files[0])
        small = module.resized(pixels[None], (224, 298), "bicubic")
        decoding_s = alone(lambda: DECODERS["JPEG"](content(files[0]), ImageReadMode.RGB))
        resizing_s = alone(lambda: module.resized(pixels[None], (224, 298), "bicubic"))
        picture = open_image(files[0])

        def sleep_and_give(seconds: float, given: object) -> Callable[..., object]:
            def instead(*_: object) -> object:
                time.sleep(seconds)
                return given

            return instead

        quick = patch.dict(DECODERS, JPEG=sleep_and_give(decoding_s, pixels))
        pillow = patch("benchmarks.threads.open_image", sleep_and_give(decoding_s, picture))
        resize = patch.object(module, "resized", sleep_and_give(resizing_s, small))
        with quick, pillow, resize:
            part = "preparing 1,000 photographs, decoding and resizing slept through"
            base: Row | None = None
            for threads in THREADS:
                taken = {
                    "numpy's copy": 1000 * per_image(lambda image: before(ready, image), files, threads),
                    "this project": 1000 * per_image(lambda image: ours(ready, image), files, threads),
                }
                for name, seconds in taken.items():
                    base = base or reference(part, f"{threads} threads, {name}", seconds)
                    yield against(base, f"{threads} threads, {name}", seconds)


def content(file: ImageFile) -> torch.Tensor:
    return torch.frombuffer(bytearray(Path(str(file.path)).read_bytes()), dtype=torch.uint8)


def alone(work: Callable[[], object], times: int = 50) -> float:
    """Return the processor seconds of a call on one core."""
    torch.set_num_threads(1)
    work()
    start = time.process_time()
    for _ in range(times):
        work()
    return (time.process_time() - start) / times


if __name__ == "__main__":
    require(report(rows()))
