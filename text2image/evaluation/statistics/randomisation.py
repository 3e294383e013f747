"""Could a difference be luck? Paired randomisation tests over clusters of queries, and families of them."""

import math
from collections.abc import Iterator

import numpy as np

from text2image.base.arrays import Floats
from text2image.evaluation.statistics.intervals import LEVEL

ALPHA = 1.0 - LEVEL
PERMUTATIONS = 10_000
"""Of a test that stands alone."""

FAMILY_PERMUTATIONS = 200
"""For each comparison of a family at least, so that the smallest p-value times their number is 0.005."""

EXACT_CLUSTERS = 16
"""Up to so many clusters that differ, all 2^15 flips are counted that are not each other's opposites."""

COMMON = 100
"""A difference that so many of the first flips reach is not flipped further: its p-value is known well enough."""

BLOCK_SIGNS = 2**21
"""Signs held at a time (float64: 16 MiB)."""


def family_permutations(n_comparisons: int) -> int:
    """Return how many flips a test needs to be able to reject among so many comparisons.

    >>> family_permutations(1), family_permutations(500)
    (10000, 100000)
    """
    return max(PERMUTATIONS, FAMILY_PERMUTATIONS * n_comparisons)


def randomisation_test(sums: Floats, *, permutations: int = PERMUTATIONS, seed: int) -> Floats:
    """Return the two-sided p-value of each measure by flipping the signs of whole clusters.

    If the systems were alike, each cluster's difference could as well have had the other sign. Where at most
    ``EXACT_CLUSTERS`` clusters differ from 0, the p-value is exact: the share of all flips whose sum is as far
    from 0 as the sum found, at least ``2^(1 - clusters that differ)``. Otherwise flips are drawn:
    ``p = (1 + #{|sum of flipped| >= |sum|}) / (1 + flips)``. Beyond the first ``PERMUTATIONS``, only those
    differences are flipped on that fewer than ``COMMON`` flips have reached.

    Sources: Fisher, The Design of Experiments, 1935; Smucker, Allan and Carterette, A Comparison of
    Statistical Significance Tests for IR Evaluation, 2007; Phipson and Smyth, 2010 (the + 1); Besag and
    Clifford, Sequential Monte Carlo p-Values, 1991 (where to stop).

    Args:
        sums: ``(n_clusters, n_measures)`` float64, the summed differences of each cluster in whole
            units, so that ties are exact (:func:`text2image.queries.clusters.cluster_sums`).
        permutations: how many flips.
        seed: of the flips.

    Returns:
        ``(n_measures,)`` float64 in (0, 1].
    """
    sizes = np.sort(np.abs(sums), axis=0)[::-1]
    extreme, p_values = np.abs(sums.sum(axis=0)), np.empty(sums.shape[1])
    exact = np.count_nonzero(sizes, axis=0) <= EXACT_CLUSTERS
    if exact.any():
        p_values[exact] = _exact(sizes[:EXACT_CLUSTERS, exact], extreme[exact])
    if not exact.all():
        p_values[~exact] = _drawn(sizes[:, ~exact], extreme[~exact], permutations, seed)
    return p_values


def _exact(sizes: Floats, extreme: Floats) -> Floats:
    """Return the share of all flips that reach ``extreme``: the first sign is always +, by symmetry."""
    n_flips = 2 ** (len(sizes) - 1)
    bits = np.arange(n_flips)[:, None] >> np.arange(len(sizes))
    share: Floats = _reached((bits & 1).astype(np.float64), sizes, extreme) / n_flips
    return share


def _drawn(sizes: Floats, extreme: Floats, permutations: int, seed: int) -> Floats:
    generator, first = np.random.default_rng(seed), min(permutations, PERMUTATIONS)
    reached, flips = np.zeros(sizes.shape[1]), np.full(sizes.shape[1], first)
    for block in _flips(len(sizes), first, generator):
        reached += _reached(block, sizes, extreme)
    rare = np.flatnonzero(reached < COMMON)
    if permutations > first and len(rare):
        flips[rare] = permutations
        sizes, extreme = sizes[:, rare], extreme[rare]
        for block in _flips(len(sizes), permutations - first, generator):
            reached[rare] += _reached(block, sizes, extreme)
    p_values: Floats = (1.0 + reached) / (1.0 + flips)
    return p_values


def _reached(flips: Floats, sizes: Floats, extreme: Floats) -> Floats:
    """Return how many of the flips, ``(n_flips, n_clusters)`` of 0.0 and 1.0, reach each measure's ``extreme``."""
    count: Floats = np.sum(np.abs(2.0 * (flips @ sizes) - sizes.sum(axis=0)) >= extreme, axis=0)
    return count


def _flips(n_clusters: int, permutations: int, generator: np.random.Generator) -> Iterator[Floats]:
    """Yield blocks ``(flips, n_clusters)`` of 0.0 and 1.0: random bits, whole words a flip."""
    step, width = max(1, BLOCK_SIGNS // n_clusters), 4 * math.ceil(n_clusters / 32)
    for start in range(0, permutations, step):
        rows = min(step, permutations - start)
        words = np.frombuffer(generator.bytes(rows * width), dtype=np.uint8).reshape(rows, width)
        yield np.unpackbits(words, axis=1, count=n_clusters).astype(np.float64)


def holm(p_values: Floats) -> Floats:
    """Return p-values adjusted for a family of comparisons: ``(n,)`` float64 in [0, 1], same order.

    The i-th smallest of n is multiplied by ``n - i + 1``, then raised to the largest before it.
    Whatever the dependence, the chance of any false alarm in the family stays below the level.

    Source: Holm, A Simple Sequentially Rejective Multiple Test Procedure, 1979.
    """
    order = np.argsort(p_values, kind="stable")
    adjusted = np.empty(len(p_values))
    steps = p_values[order] * np.arange(len(p_values), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return adjusted
