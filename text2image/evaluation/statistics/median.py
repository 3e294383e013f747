"""The interval of a median over queries that are not independent: order statistics, by a sign test of clusters."""

import numpy as np
from scipy.special import ndtri

from text2image.base.arrays import Booleans, Floats, Integers
from text2image.evaluation.statistics.intervals import LEVEL, MIN_CLUSTERS


def median_interval(
    values: Integers, clusters: Integers, bounds: tuple[int, int]
) -> tuple[float, float] | None:
    """Return the 95 % interval of the median of ``values``; None below ``MIN_CLUSTERS`` clusters.

    It holds every value v that a sign test does not refuse as the median: neither are significantly fewer than half
    of the values at most v, nor significantly more than half below v. The test sums for each cluster how many of its
    values are in excess of half of them, ``s``, and refuses where ``|Σ s| > (z + 1 / √w) √(Σ s²)``, with
    ``z = 1.96`` and w what the clusters are worth (Kish; the continuity correction of the sign test). With a value
    a cluster, these are the usual order statistics; up to 5 clusters can refuse nothing, and the interval is ``bounds``.

    Sources: Hettmansperger, Statistical Inference Based on Ranks, 1984, section 1.2; Datta and Satten, A Signed-Rank
    Test for Clustered Data, 2008 (sums over clusters as the unit).

    >>> ranks = np.array([1, 2, 3, 4, 5, 6, 7, 8, 9])
    >>> median_interval(ranks, np.arange(9), (1, 50)), median_interval(ranks, np.minimum(ranks, 5), (1, 50))
    ((2.0, 8.0), (1.0, 50.0))

    Args:
        values: ``(n,)`` int64, such as the best rank of each query; at least one.
        clusters: ``(n,)`` int64, any labels.
        bounds: what a value can be.
    """
    _, index, sizes = np.unique(clusters, return_inverse=True, return_counts=True)
    if len(sizes) < MIN_CLUSTERS:
        return None
    order = np.argsort(values, kind="stable")
    distinct, counts = np.unique(values, return_counts=True)
    reached = np.concatenate([[0], np.cumsum(counts)])
    refused, n_halves = _refused(index[order], sizes)[reached], 2 * reached - len(values)
    few, many = refused & (n_halves < 0), refused & (n_halves > 0)  # of the values at most v; below v
    edges = np.concatenate([[bounds[0]], distinct, [bounds[1]]])
    low = edges[np.flatnonzero(~few)[0]]
    high = edges[np.flatnonzero(~many)[-1] + 1]
    return float(low), float(high)


def _refused(cluster: Integers, sizes: Integers) -> Booleans:
    """Return whether the test refuses that half of the values are among the first 0, 1, …, n in their order.

    Args:
        cluster: ``(n,)`` int64 in [0, n_clusters), of each value in ascending order.
        sizes: ``(n_clusters,)`` int64.
    """
    halves, n = sizes / 2.0, len(cluster)
    by_cluster = np.argsort(cluster, kind="stable")
    nth = np.empty(n)  # how many values of its cluster are before each
    nth[by_cluster] = np.arange(n) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    steps = 2.0 * (nth - halves[cluster]) + 1.0  # what each adds to the sum of squares
    squares: Floats = np.sum(halves**2) + np.concatenate([[0.0], np.cumsum(steps)])
    excess = np.arange(n + 1) - n / 2.0
    worth = float(sizes.sum()) ** 2 / float(np.sum(sizes.astype(np.float64) ** 2))
    limit = float(ndtri((1.0 + LEVEL) / 2.0)) + 1.0 / np.sqrt(worth)
    refused: Booleans = np.abs(excess) > limit * np.sqrt(squares)
    return refused
