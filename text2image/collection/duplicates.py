"""Near-duplicate images, found by perceptual hashes without comparing all pairs."""

from itertools import pairwise

import numpy as np
import numpy.typing as npt

from text2image.base.arrays import Integers

Hashes = npt.NDArray[np.uint64]


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
    pairs = [np.empty((0, 2), dtype=np.int64)]
    for low, high in pairwise(edges):
        mask = np.uint64((1 << (int(high) - int(low))) - 1)
        band = (hashes >> np.uint64(low)) & mask
        pairs.extend(_pairs_within_band(hashes, band, bits))
    return np.unique(np.concatenate(pairs), axis=0)


def _pairs_within_band(hashes: Hashes, band: Hashes, bits: int) -> list[Integers]:
    """Return the near pairs among hashes that share a band value, shift by shift in sorted order."""
    order = np.argsort(band, kind="stable").astype(np.int64)
    values = band[order]
    pairs: list[Integers] = []
    for shift in range(1, len(values)):
        same = np.flatnonzero(values[:-shift] == values[shift:])
        if len(same) == 0:
            break
        left, right = order[same], order[same + shift]
        near = np.bitwise_count(hashes[left] ^ hashes[right]) <= bits
        pairs.append(np.sort(np.stack([left[near], right[near]], axis=1), axis=1))
    return pairs


def connected_components(n: int, pairs: Integers) -> Integers:
    """Return the connected component of each of ``n`` items, numbered by first appearance: ``(n,)`` int64.

    Args:
        pairs: ``(n_pairs, 2)`` int64, the items that belong together; an item without a pair is a component.
    """
    if len(pairs) == 0:
        return np.arange(n)
    from scipy.sparse import coo_array, csgraph  # takes longer to import than most stages to run

    edges = coo_array((np.ones(len(pairs), dtype=np.int8), (pairs[:, 0], pairs[:, 1])), shape=(n, n))
    return _by_first_appearance(csgraph.connected_components(edges, directed=False)[1])


def near_groups(hashes: Hashes, bits: int) -> Integers:
    """Return the near-duplicate group of each image, numbered by first appearance: ``(n,)`` int64.

    A group is a connected component: two images may share one through a third.
    """
    unique, index = np.unique(hashes, return_inverse=True)
    return _by_first_appearance(connected_components(len(unique), near_pairs(unique, bits))[index])


def _by_first_appearance(labels: Integers) -> Integers:
    """Number labels 0, 1, … in the order in which each first appears."""
    _, first, label = np.unique(labels, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[label].astype(np.int64)
