"""Near-duplicate groups of 100,000 perceptual hashes, against the comparison of all pairs.

Run as ``python -m benchmarks.near_duplicates``. Must take at most 30 s on 2 cores. The reference, all
pairs by numpy, is run on a tenth of the hashes and scaled by a hundred.
"""

from __future__ import annotations

import time

import numpy as np

from text2image.collection.duplicates import near_groups

N, BITS, LIMIT_S = 100_000, 6, 30.0


def hashes(n: int) -> np.ndarray:
    """Return random hashes of which every tenth has a near-duplicate of up to six flipped bits."""
    generator = np.random.default_rng(0)
    base = generator.integers(0, 2**64, n, dtype=np.uint64)
    copies = n // 10
    base[:copies] = base[copies : 2 * copies]
    for _ in range(BITS):
        base[:copies] ^= np.uint64(1) << generator.integers(0, 64, copies).astype(np.uint64)
    return base


def all_pairs(some: np.ndarray) -> int:
    """Return the number of near pairs, comparing all."""
    return sum(
        int(np.count_nonzero(np.bitwise_count(some[i + 1 :] ^ some[i]) <= BITS)) for i in range(len(some))
    )


def main() -> None:
    some = hashes(N)
    start = time.perf_counter()
    groups = near_groups(some, BITS)
    ours = time.perf_counter() - start
    start = time.perf_counter()
    all_pairs(some[: N // 10])
    reference = 100 * (time.perf_counter() - start)
    print(f"{N:,} hashes, {N - len(np.unique(groups)):,} joined: {ours:.1f} s (limit {LIMIT_S:.0f} s)")
    print(f"all pairs: about {reference:.0f} s, {reference / ours:.1f} times ours")


if __name__ == "__main__":
    main()
