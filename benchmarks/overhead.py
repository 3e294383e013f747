"""What embedding costs beside the model, at the rate of a large GPU: ``python -m benchmarks.overhead [N] [--profile]``.

The stage ``embed_images`` runs as it is on a manifest of N images (100,000 by default), but that in place of a model
something hands out rows of 512 floats in batches of 512. It runs twice: with batches that are there at once, which
shows what each part takes, and with batches that come as from a device of 6,000 images a second, which computes one
batch ahead of its reader. What the second run takes beyond the device's own time (16.7 s for 100,000 images) is what a
user waits for; parts that run while the device computes are beside it. Store, manifest and progress bar may take at most
5 % of the device's time together; the two files that the stage writes, and all else, stand below them. Of processor time there
stands what the waits take where nobody else computes.
"""

from __future__ import annotations

import cProfile
import multiprocessing
import os
import pstats
import resource
import sys
import tempfile
import time
from argparse import ArgumentParser
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from typing import Any, NamedTuple
from unittest import mock

import numpy as np
from tqdm import tqdm

import stages.embed_images as stage
from text2image.artifacts import ARTIFACTS
from text2image.base.arrays import Vectors
from text2image.base.store import Store
from text2image.collection.manifest import ImageFile, ManifestEntry
from text2image.encoders import vectors
from text2image.formats.files import write_json
from text2image.formats.tables import write_csv
from text2image.params import load_params

DIM, BATCH, RATE = 512, 512, 6000
MAX_SHARE = 0.05
MODEL = "made-up"
CARD: dict[str, Any] = {"name": MODEL, "pretrained": None, "files": {}, "views": ["whole"], "combine": "max"}
PARTS: dict[str, tuple[Any, str]] = {
    "read the manifest": (stage, "read_manifest"),
    "the gallery": (stage, "gallery"),
    "its views": (stage, "view_files"),
    "what the store has": (vectors.Matrix, "read"),
    "write to the store": (Store, "put"),
    "close the store": (Store, "__exit__"),
    "the progress bar": (tqdm, "update"),
    "write images.npy": (stage, "write_array"),
    "write views.csv": (stage, "write_views"),
}
"""Parts of the stage, and where it finds their functions."""

OUTPUTS = ("write images.npy", "write views.csv")
"""What is no part of what is asked for: writing the result."""


class Cost(NamedTuple):
    """What the stage took.

    Attributes:
        wall: seconds.
        processor: seconds of all its threads; ``waited`` those of the main thread while the device was not computing.
        parts: the seconds of each of ``PARTS`` on a clock, whatever ran beside it.
        beside: the parts that ran while the device computed.
        gib: peak memory.
    """

    wall: float
    processor: float
    waited: float
    parts: dict[str, float]
    beside: set[str]
    gib: float


class Device:
    """Hands out made-up rows at ``rate`` images a second; like a GPU it computes one batch ahead of its reader."""

    def __init__(self, rate: float) -> None:
        self.rate, self.computes, self.spent = rate, False, 0.0
        self.block = np.random.default_rng(0).standard_normal((BATCH, DIM)).astype(np.float32)

    def rows(self, start: int, count: int) -> Vectors:
        return self.block[:count] + np.float32(start)

    def embed(self, *arguments: Any) -> Iterator[vectors.Batch]:
        """Yield keys and rows of images, the last of the stage's ``arguments``, as ``embed_images_here`` does."""
        images: Sequence[ImageFile] = arguments[-1]
        self.computes, before = True, time.thread_time()
        done, launched = time.perf_counter(), deque[tuple[float, int]]()
        for start in range(0, len(images), BATCH):
            done = max(done, time.perf_counter()) + len(images[start : start + BATCH]) / self.rate
            launched.append((done, start))
            if len(launched) == 2:
                yield self.wait_for(images, *launched.popleft())
        for ready, start in launched:
            yield self.wait_for(images, ready, start)
        self.computes, self.spent = False, time.thread_time() - before

    def wait_for(self, images: Sequence[ImageFile], ready: float, start: int) -> vectors.Batch:
        time.sleep(max(0.0, ready - time.perf_counter()))
        batch = images[start : start + BATCH]
        rows = self.rows(start, len(batch))
        return [(image.key, row.tobytes()) for image, row in zip(batch, rows, strict=True)]


class Clock:
    """Adds up the seconds of functions."""

    def __init__(self, device: Device) -> None:
        self.device, self.parts, self.beside = device, defaultdict[str, float](float), set[str]()

    def timed(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def measured(*arguments: Any, **options: Any) -> Any:
            start = time.perf_counter()
            if self.device.computes:
                self.beside.add(name)
            try:
                return function(*arguments, **options)
            finally:
                self.parts[name] += time.perf_counter() - start

        return measured


def run(entries: int, rate: float, profiled: bool) -> Cost:
    """Run the stage in a temporary folder, in a process of its own, and check the matrix that it writes."""
    params, device = load_params(), Device(rate)
    clock, profile = Clock(device), cProfile.Profile(builtins=False)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        os.environ["DVC_ROOT"] = folder
        os.chdir(folder)
        numbers = np.random.default_rng(1).choice(2**62, entries, replace=False)
        ids = sorted(f"{number:016x}" for number in numbers)
        rows = (ManifestEntry(image_id, f"{image_id[:2]}/{image_id}.jpg", "", 640, 480) for image_id in ids)
        write_csv(ARTIFACTS.manifest, ManifestEntry._fields, rows)
        write_json(ARTIFACTS.card(MODEL), CARD)
        for name, (owner, attribute) in PARTS.items():
            timed = clock.timed(name, getattr(owner, attribute))
            stack.enter_context(mock.patch.object(owner, attribute, timed))
        stack.enter_context(mock.patch.object(stage, "embed_images_here", device.embed))
        if profiled:
            stack.enter_context(profile)
        wall, processor, own = time.perf_counter(), time.process_time(), time.thread_time()
        stage.main(params, MODEL)
        wall, processor, own = (
            time.perf_counter() - wall, time.process_time() - processor, time.thread_time() - own,
        )  # fmt: skip
        matrix = np.load(ARTIFACTS.image_vectors(MODEL), mmap_mode="r")
        for first in range(0, entries, BATCH):
            assert np.array_equal(
                matrix[first : first + BATCH], device.rows(first, min(BATCH, entries - first))
            )
        os.chdir("/")
    if profiled:
        pstats.Stats(profile).sort_stats("tottime").print_stats(25)
    gib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return Cost(wall, processor, own - device.spent, dict(clock.parts), clock.beside, gib)


def in_a_process(*arguments: Any) -> Cost:
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(run, *arguments).result()


def main(entries: int, profiled: bool) -> None:
    at_once = in_a_process(entries, float("inf"), profiled)
    paced = in_a_process(entries, float(RATE), False)
    needed = entries / RATE
    waited = paced.wall - needed
    rest = waited - sum(paced.parts[name] for name in PARTS if name not in paced.beside)
    print(f"{entries:,} images of {DIM} floats; the device takes {needed:.1f} s, and all {paced.wall:.1f} s")
    print("| part | at once | beside a device | waited for |\n| --- | ---: | ---: | ---: |")
    for name in PARTS:
        share = "no" if name in paced.beside else f"{paced.parts[name] / needed:.1%}"
        print(f"| {name} | {at_once.parts[name]:.2f} s | {paced.parts[name]:.2f} s | {share} |")
    print(f"| the rest | | {rest:.2f} s | {rest / needed:.1%} |")
    waits = {name: 0.0 if name in paced.beside else paced.parts[name] for name in PARTS}
    asked = sum(seconds for name, seconds in waits.items() if name not in OUTPUTS)
    print(f"| **store, manifest and progress bar** | | {asked:.2f} s | {asked / needed:.1%} |")
    print(f"| together | {at_once.wall:.2f} s | {waited:.2f} s | {waited / needed:.1%} |")
    print(
        f"processor time: {paced.processor:.2f} s, {paced.waited:.2f} s of it waited for "
        f"({paced.waited / needed:.1%}); {paced.gib:.2f} GiB"
    )
    if asked > MAX_SHARE * needed:
        sys.exit(f"expected at most {MAX_SHARE:.0%} of the device's time, found {asked / needed:.1%}")


if __name__ == "__main__":
    parser = ArgumentParser(prog="python -m benchmarks.overhead")
    parser.add_argument("entries", nargs="?", type=int, default=100_000)
    parser.add_argument("--profile", action="store_true", help="print the costliest functions, too")
    options = parser.parse_args()
    main(options.entries, options.profile)
