"""Is one system better than another on the same queries, or could it be luck?

All differences are paired (first minus second, query by query) and all randomness is over clusters of
queries, see :mod:`text2image.evaluation.statistics.intervals`, whose exact sums make results the same to the byte
in any order of queries, measures or systems: swapping the systems swaps signs, nothing else.
"""

import math
from typing import NamedTuple

from text2image.base.arrays import Floats, Integers
from text2image.evaluation.measures import Measure
from text2image.evaluation.statistics.intervals import difference_intervals
from text2image.evaluation.statistics.power import detectable_difference
from text2image.evaluation.statistics.randomisation import ALPHA, family_permutations, randomisation_test
from text2image.queries.clusters import UNIT, cluster_sums

WORDS = {
    "mrr": ("ranks the image higher than", "the mean reciprocal rank of the image"),
    "hit_rate": (
        "finds the image in the top {k} more often than",
        "the share of queries with the image in the top {k}",
    ),
}
"""How to say that a system is better by a measure, and what it is measured by."""


class Comparison(NamedTuple):
    """One measure of two systems on the same queries.

    Attributes:
        difference: mean of first minus second, in [-1, 1].
        low, high: its 95 % interval; None where there are too few clusters for one.
        p_value: of the randomisation test, two-sided, for this comparison alone.
        detectable: the smallest difference that its family's test would have claimed with 80 % power; None where no
            difference would have been, and where nothing is claimed.
        n_queries, n_clusters: how many, and how many independent ones.
    """

    difference: float
    low: float | None
    high: float | None
    p_value: float
    detectable: float | None
    n_queries: int
    n_clusters: int


def compare(
    first: Floats, second: Floats, clusters: Integers, *, family: int = 0, resamples: int = 2000, seed: int
) -> list[Comparison]:
    """Return a comparison of two systems for each measure, or of several pairs of systems by one.

    Args:
        first, second: ``(n_queries, n_measures)`` float64 in [0, 1], the same queries and measures.
        clusters: ``(n_queries,)`` int64.
        family: how many comparisons each of these is claimed together with, itself included; 0 where nothing is
            claimed. The larger it is, the more flips the test has, and the larger is what is detectable.
        resamples: of the bootstrap.
        seed: the same seed gives the same bytes.

    Raises:
        ValueError: shapes that differ, no query, or values outside [0, 1].
    """
    if first.shape != second.shape:
        raise ValueError(f"expected the same queries and measures, found {first.shape} and {second.shape}")
    sums, counts = cluster_sums(first - second, clusters)
    low, high = difference_intervals(first - second, clusters, resamples=resamples, seed=seed)
    p_values = randomisation_test(sums, permutations=family_permutations(family), seed=seed)
    differences = sums.sum(axis=0) / counts.sum() * UNIT + 0.0  # + 0.0: never a negative zero
    detectable = [detectable_difference(column, counts, family) if family else None for column in sums.T]
    return [
        Comparison(float(d), known(a), known(b), float(p), e, len(first), len(counts))
        for d, a, b, p, e in zip(differences, low, high, p_values, detectable, strict=True)
    ]


def known(value: float) -> float | None:
    """Return a figure; None for NaN, which JSON does not have.

    >>> known(0.5), known(float("nan"))
    (0.5, None)
    """
    return None if math.isnan(value) else float(value)


def is_claimed(difference: float, low: float | None, high: float | None, adjusted_p: float) -> bool:
    """Return whether a difference is claimed: its interval leaves out 0, and its p-value is below ``ALPHA``.

    >>> is_claimed(0.3, 0.2, 0.4, 0.01), is_claimed(-0.3, -0.4, -0.2, 0.01), is_claimed(0.3, 0.2, 0.4, 0.06)
    (True, True, False)

    Args:
        difference: between two systems.
        low, high: its 95 % interval; None where there is none.
        adjusted_p: adjusted for the family of comparisons.
    """
    if low is None or high is None or adjusted_p >= ALPHA:
        return False
    return low > 0.0 if difference > 0.0 else high < 0.0


def verdict(first: str, second: str, measure: Measure, comparison: Comparison, adjusted_p: float) -> str:
    """Return one sentence on a comparison by one of ``WORDS``, the better system first.

    A difference is claimed by :func:`is_claimed`.

    Raises:
        ValueError: there are no words for the measure.
    """
    if measure.name not in WORDS:
        raise ValueError(f"expected one of the measures {', '.join(WORDS)}, found '{measure}'")
    better, by = (words.format(k=measure.k) for words in WORDS[measure.name])
    difference, low, high = comparison[:3]
    (_, ahead), (_, behind) = sorted([(-difference, first), (difference, second)])
    apart = f"cannot tell {ahead} and {behind} apart by {by}"
    if low is None or high is None:
        return (
            f"{apart}: {abs(difference):+.2f}, n = {comparison.n_queries}; too few independent queries "
            f"({comparison.n_clusters}) for an interval"
        )
    low, high = (low, high) if ahead == first else (-high, -low)
    digits = max(2, -math.floor(math.log10(high - low))) if high > low else 2
    figures = (
        f"{abs(difference):+.{digits}f} [{low:z.{digits}f}, {high:z.{digits}f}], n = {comparison.n_queries}"
    )
    if is_claimed(abs(difference), low, high, adjusted_p):
        return f"{ahead} {better} {behind}: {figures}"
    return f"{apart}: {figures}; {_not_claimed(comparison, low, adjusted_p, digits)}"


def _not_claimed(comparison: Comparison, low: float, adjusted_p: float, digits: int) -> str:
    """Return why a difference is not claimed, or which one would have been."""
    if low > 0.0:
        return f"p = {adjusted_p:.2f} after Holm's correction for all comparisons of these labels"
    if comparison.detectable is None:
        return f"no difference would have shown with so few independent queries ({comparison.n_clusters})"
    return f"a difference of {comparison.detectable:.{digits}f} would have shown with 80 % power"
