"""Is one model better than another on the same queries, or could it be luck?

All differences are paired (first minus second, query by query) and all randomness is over clusters of
queries, see :mod:`text2image.evaluation.statistics.intervals`, whose exact sums make results the same to the byte in any
order of queries, measures or models: swapping the models swaps signs, nothing else.
"""

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from text2image.base.arrays import Floats, Integers
from text2image.evaluation.measures import Measure
from text2image.evaluation.statistics.intervals import LEVEL, difference_intervals, standard_error, student_t
from text2image.queries.clusters import UNIT, cluster_sums

ALPHA = 1.0 - LEVEL
POWER = 0.8
BLOCK_SIGNS = 2**21
"""Signs held at a time (float64: 16 MiB)."""

WORDS = {
    "mrr": ("ranks the image higher than", "the mean reciprocal rank of the image"),
    "hit_rate": (
        "finds the image in the top {k} more often than",
        "the share of queries with the image in the top {k}",
    ),
}
"""How to say that a model is better by a measure, and what it is measured by."""


class Comparison(NamedTuple):
    """One measure of two models on the same queries.

    Attributes:
        difference: mean of first minus second, in [-1, 1].
        low, high: its interval.
        p_value: of the randomisation test, two-sided, for this comparison alone.
        detectable: the smallest difference that these queries could have shown; None if unknown.
        n_queries: how many.
    """

    difference: float
    low: float
    high: float
    p_value: float
    detectable: float | None
    n_queries: int


def compare(
    first: Floats,
    second: Floats,
    clusters: Integers,
    *,
    resamples: int = 2000,
    permutations: int = 10_000,
    seed: int,
) -> list[Comparison]:
    """Return a comparison of two models for each measure.

    Args:
        first, second: ``(n_queries, n_measures)`` float64 in [0, 1], the same queries and measures.
        clusters: ``(n_queries,)`` int64.
        resamples: of the bootstrap.
        permutations: of the randomisation test; the smallest p-value is ``1 / (permutations + 1)``.
        seed: the same seed gives the same bytes.

    Raises:
        ValueError: shapes that differ, no query, or values outside [0, 1].
    """
    if first.shape != second.shape:
        raise ValueError(f"expected the same queries and measures, found {first.shape} and {second.shape}")
    sums, counts = cluster_sums(first - second, clusters)
    low, high = difference_intervals(first - second, clusters, resamples=resamples, seed=seed)
    p_values = randomisation_test(sums, permutations=permutations, seed=seed)
    differences = sums.sum(axis=0) / counts.sum() * UNIT + 0.0  # + 0.0: never a negative zero
    detectable = [detectable_difference(column, counts) for column in sums.T]
    rows = zip(differences, low, high, p_values, detectable, strict=True)
    return [Comparison(float(d), float(a), float(b), float(p), e, len(first)) for d, a, b, p, e in rows]


def randomisation_test(sums: Floats, *, permutations: int, seed: int) -> Floats:
    """Return the two-sided p-value of each measure by flipping the signs of whole clusters.

    If the models were alike, each cluster's difference could as well have had the other sign:
    ``p = (1 + #{|sum of flipped| >= |sum|}) / (1 + permutations)``, in (0, 1].

    Sources: Fisher, The Design of Experiments, 1935; Smucker, Allan and Carterette, A Comparison of
    Statistical Significance Tests for IR Evaluation, 2007; Phipson and Smyth, 2010 (the + 1).

    Args:
        sums: ``(n_clusters, n_measures)`` float64, the summed differences of each cluster in whole
            units, so that ties are exact (:func:`text2image.queries.clusters.cluster_sums`).
        permutations: how many flips.
        seed: of the flips.
    """
    sizes = np.sort(np.abs(sums), axis=0)[::-1]
    extreme, total = np.abs(sums.sum(axis=0)), sizes.sum(axis=0)
    reached = np.zeros(sums.shape[1])
    for flips in _flips(len(sums), permutations, seed):
        reached += np.sum(np.abs(2.0 * (flips @ sizes) - total) >= extreme, axis=0)
    p_values: Floats = (1.0 + reached) / (1.0 + permutations)
    return p_values


def _flips(n_clusters: int, permutations: int, seed: int) -> Iterator[Floats]:
    """Yield blocks ``(flips, n_clusters)`` of 0.0 and 1.0: random bits, whole words a flip."""
    generator = np.random.default_rng(seed)
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


def detectable_difference(sums: Floats, counts: Floats) -> float | None:
    """Return the smallest true difference that a two-sided test would find with 80 % power.

    ``(t(0.975) + t(0.8)) SE`` with the clustered standard error SE of the mean difference and
    Student's t of n_clusters - 1 degrees of freedom. None where nothing varies: a model and itself,
    or a single cluster. ``sums, counts: (n_clusters,)`` float64, of one measure.

    Source: Bloom, Minimum Detectable Effects, 1995.
    """
    error, freedom = standard_error(sums, counts), len(sums) - 1
    return (student_t(1.0 - ALPHA / 2.0, freedom) + student_t(POWER, freedom)) * error if error else None


def verdict(first: str, second: str, measure: Measure, comparison: Comparison, adjusted_p: float) -> str:
    """Return one sentence on a comparison by one of ``WORDS``, the better model first.

    A difference is claimed where the p-value adjusted for the family is below ``ALPHA`` and the
    interval leaves out 0.

    Raises:
        ValueError: there are no words for the measure.
    """
    if measure.name not in WORDS:
        raise ValueError(f"expected one of the measures {', '.join(WORDS)}, found '{measure}'")
    better, by = (words.format(k=measure.k) for words in WORDS[measure.name])
    difference = comparison.difference
    (_, ahead), (_, behind) = sorted([(-difference, first), (difference, second)])
    low, high = (comparison.low, comparison.high) if ahead == first else (-comparison.high, -comparison.low)
    digits = max(2, -math.floor(math.log10(high - low))) if high > low else 2
    figures = (
        f"{abs(difference):+.{digits}f} [{low:z.{digits}f}, {high:z.{digits}f}], n = {comparison.n_queries}"
    )
    if adjusted_p < ALPHA and low > 0.0:
        return f"{ahead} {better} {behind}: {figures}"
    sentence = f"cannot tell {ahead} and {behind} apart by {by}: {figures}"
    if low > 0.0:
        return f"{sentence}; p = {adjusted_p:.2f} after Holm's correction for all comparisons"
    if comparison.detectable is None:
        return sentence
    return f"{sentence}; a difference of {comparison.detectable:.{digits}f} would have shown"
