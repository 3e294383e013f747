"""The store of embeddings: its size on disk, writing, and random look-ups: ``python -m benchmarks.store [N]``.

N embeddings of 512 floats (200,000 by default; a million take 2.3 GB and two minutes) are written in batches
of 32, then 10,000 of them are looked up in random order, from the page cache and, once the system was told to
forget the file, from disk. The reference, in the same run, is the same bytes in one flat file.
"""

from __future__ import annotations

import os
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from text2image.base.spaces import spaces
from text2image.base.store import Store
from text2image.encoders.vectors import Matrix

DIM, BATCH, SUBSET = 512, 32, 10_000
MAX_RATIO, MAX_LOOKUP_S = 1.3, 1.0


def forget(path: Path) -> None:
    """Take a file out of the page cache."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def look_up(root: Path, keys: Sequence[str]) -> float:
    """Return the seconds to open the store and gather the vectors of ``keys``."""
    start = time.perf_counter()
    with Store("embeddings", {}, root) as store:
        matrix = Matrix(keys)
        matrix.read(store)
        assert len(matrix.whole()) == len(keys)
    return time.perf_counter() - start


def main(entries: int) -> None:
    keys = [f"{key:016x}" for key in np.random.default_rng(0).choice(2**62, entries, replace=False)]
    vector = np.random.default_rng(1).standard_normal(DIM).astype(np.float32)
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        start = time.perf_counter()
        with (root / "flat").open("wb") as file:
            for _ in keys:
                file.write(vector.tobytes())
        flat = time.perf_counter() - start
        (root / "flat").unlink()
        start = time.perf_counter()
        with Store("embeddings", {}, root) as store:
            for first in range(0, entries, BATCH):
                store.put((key, vector.tobytes()) for key in keys[first : first + BATCH])
        written = time.perf_counter() - start
        (space,) = spaces(root)
        some = random.Random(0).sample(keys, min(SUBSET, entries))
        warm = min(look_up(root, some) for _ in range(3))
        forget(space.path)
        cold = look_up(root, some)
        start = time.perf_counter()
        with Store("embeddings", {}, root) as store:
            assert store.missing(keys) == []
        asked = time.perf_counter() - start
    ratio = space.bytes / (entries * vector.nbytes)
    print(
        f"{entries:,} embeddings of {DIM} floats: {space.bytes / 1e9:.2f} GB, {ratio:.3f} times their bytes"
    )
    print(f"written in {written:.1f} s ({entries / written:,.0f} a second; as a flat file {flat:.1f} s)")
    print(
        f"{len(some):,} at random: {warm:.2f} s, from disk {cold:.2f} s; which of all are there: {asked:.1f} s"
    )
    if ratio > MAX_RATIO or max(warm, cold) > MAX_LOOKUP_S:
        sys.exit(f"expected at most {MAX_RATIO} times the bytes and {MAX_LOOKUP_S:g} s for a look-up")


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 200_000)
