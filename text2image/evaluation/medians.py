"""The interval of a median over queries that are not independent, by bootstrap of whole clusters."""

import numpy as np

from text2image.base.arrays import Integers
from text2image.evaluation.intervals import LEVEL, cluster_weights

BLOCK_VALUES = 2**22
"""Weights of queries held at a time (float64: 32 MiB)."""


def median_interval(
    values: Integers, clusters: Integers, *, resamples: int = 2000, seed: int
) -> tuple[float, float]:
    """Return the 95 % percentile interval of the (lower) median of ``values`` over resampled clusters.

    The percentile interval is right for medians, whose distribution is too rough for corrections.
    Source: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13.

    Args:
        values: ``(n,)`` int64, such as the best rank of each query; at least one.
        clusters: ``(n,)`` int64, any labels.
        resamples: how often as many clusters are drawn with replacement.
        seed: the same seed gives the same interval, whatever the order of queries.
    """
    order = np.argsort(values, kind="stable")
    ordered, cluster = values[order], _canonical(values, clusters)[order]
    n_clusters = int(cluster.max()) + 1
    medians = []
    block_draws = max(1, BLOCK_VALUES // len(values)) * n_clusters
    for weights in cluster_weights(n_clusters, resamples, seed, block_draws):
        for row in weights:
            reached = np.cumsum(row[cluster])
            medians.append(ordered[np.searchsorted(reached, reached[-1] / 2)])
    ordered_medians = np.sort(medians)
    tail = (1.0 - LEVEL) / 2.0
    ends = int(tail * resamples), int((1.0 - tail) * resamples) - 1
    low, high = ordered_medians[list(ends)].tolist()
    return float(low), float(high)


def _canonical(values: Integers, clusters: Integers) -> Integers:
    """Number the clusters by what they hold, so that neither labels nor the order of queries matter."""
    _, index, counts = np.unique(clusters, return_inverse=True, return_counts=True)
    sums, squares, least = np.zeros(len(counts)), np.zeros(len(counts)), np.full(len(counts), np.inf)
    np.add.at(sums, index, values)
    np.add.at(squares, index, values.astype(np.float64) ** 2)
    np.minimum.at(least, index, values)
    position = np.empty(len(counts), dtype=np.int64)
    position[np.lexsort((squares, sums, counts, least))] = np.arange(len(counts))
    return position[index]
