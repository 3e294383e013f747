"""Near-duplicate images, found by perceptual hashes without comparing all pairs."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt

Hashes = npt.NDArray[np.uint64]
Integers = npt.NDArray[np.int64]


def near_pairs(hashes: Hashes, bits: int) -> Integers:
    """Return all pairs of hashes that differ in at most ``bits`` of their 64 bits.

    Pigeonhole: cut into ``bits + 1`` bands, two such hashes agree in at least one band, so only
    hashes that share a band are compared.

    Args:
        hashes: ``(n,)`` uint64.
        bits: 0 … 31.

    Returns:
        ``(n_pairs, 2)`` int64, each pair once with the smaller index first, sorted.
    """
    edges = np.linspace(0, 64, bits + 2).astype(int)
    found = [np.empty((0, 2), dtype=np.int64)]
    for low, high in pairwise(edges):
        mask = np.uint64((1 << (int(high) - int(low))) - 1)
        band = (hashes >> np.uint64(low)) & mask
        found.extend(_pairs_within_band(hashes, band, bits))
    return np.unique(np.concatenate(found), axis=0)


def _pairs_within_band(hashes: Hashes, band: Hashes, bits: int) -> list[Integers]:
    """Return the near pairs among hashes that share a band value, shift by shift in sorted order."""
    order = np.argsort(band, kind="stable").astype(np.int64)
    values = band[order]
    pairs: list[Integers] = []
    shift = 1
    while True:
        same = np.flatnonzero(values[:-shift] == values[shift:]) if shift < len(values) else np.empty(0, int)
        if len(same) == 0:
            return pairs
        left, right = order[same], order[same + shift]
        near = np.bitwise_count(hashes[left] ^ hashes[right]) <= bits
        pairs.append(np.sort(np.stack([left[near], right[near]], axis=1), axis=1))
        shift += 1


def groups(n: int, pairs: Integers) -> Integers:
    """Return the connected component of each of ``n`` items, numbered by first appearance: ``(n,)``.

    Items without a partner get a group of their own.
    """
    parent = np.arange(n)

    def root(item: int) -> int:
        while parent[item] != item:
            parent[item] = parent[parent[item]]
            item = int(parent[item])
        return item

    for left, right in pairs:
        a, b = root(int(left)), root(int(right))
        parent[max(a, b)] = min(a, b)
    roots = np.array([root(item) for item in range(n)], dtype=np.int64)
    return np.unique(roots, return_inverse=True)[1].astype(np.int64)


def near_groups(hashes: Hashes, bits: int) -> Integers:
    """Return the near-duplicate group of each image, numbered by first appearance: ``(n,)`` int64.

    A group is a connected component: two images may share one through a third.
    """
    unique, index = np.unique(hashes, return_inverse=True)
    group = groups(len(unique), near_pairs(unique, bits))[index]
    _, first, numbered = np.unique(group, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[numbered].astype(np.int64)


def pair_quality(found: Integers, true: Integers) -> tuple[int, float | None, float | None]:
    """Return how well groups agree with the true ones, counted in pairs of items of one group.

    Args:
        found, true: ``(n,)`` int64, the group of each item.

    Returns:
        The number of true pairs; the precision: the share of found pairs that are true; the recall:
        the share of true pairs that are found. None where there is no pair to divide by.
    """
    together = np.stack([found, true], axis=1)
    both = _pairs_in_groups(np.unique(together, axis=0, return_counts=True)[1])
    n_found = _pairs_in_groups(np.unique(found, return_counts=True)[1])
    n_true = _pairs_in_groups(np.unique(true, return_counts=True)[1])
    return n_true, both / n_found if n_found else None, both / n_true if n_true else None


def _pairs_in_groups(sizes: Integers) -> int:
    return int((sizes * (sizes - 1) // 2).sum())
