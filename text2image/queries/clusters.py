"""Clusters of queries that share a near-duplicate group, and so are not independent; their exact sums."""

import numpy as np

from text2image.base.arrays import Floats, Integers
from text2image.collection.duplicates import connected_components

UNIT = 2.0**-30
"""Values are rounded to multiples of this; sums over up to four million queries are exact."""


def query_clusters(queries: Integers, groups: Integers, n_queries: int) -> Integers:
    """Return the cluster of each query: queries that share a group, directly or through others.

    Connected components of the graph whose nodes are queries and groups, and whose edges are pairs.

    Args:
        queries: ``(n_pairs,)`` int64 in [0, n_queries), the query of each relevant pair.
        groups: ``(n_pairs,)`` int64, the near-duplicate group of the pair's image; any labels.
        n_queries: how many queries there are; those without a pair are clusters of their own.

    Returns:
        ``(n_queries,)`` int64, numbered by first appearance.

    Raises:
        ValueError: lengths that differ, or a query outside [0, n_queries).
    """
    if len(queries) != len(groups):
        raise ValueError(f"expected a group for each pair, found {len(queries)} pairs, {len(groups)} groups")
    if len(queries) and not 0 <= queries.min() <= queries.max() < n_queries:
        raise ValueError(f"expected queries in [0, {n_queries}), found {queries.min()} … {queries.max()}")
    names, group = np.unique(groups, return_inverse=True)
    pairs = np.stack([queries, n_queries + group], axis=1).astype(np.int64)
    return connected_components(n_queries + len(names), pairs)[:n_queries]


def cluster_sums(values: Floats, clusters: Integers) -> tuple[Floats, Floats]:
    """Return each cluster's sum of every measure in units of 2^-30, and its number of queries.

    Args:
        values: ``(n_queries, n_measures)`` float64 in [-1, 1].
        clusters: ``(n_queries,)`` int64.

    Returns:
        ``(n_clusters, n_measures)`` and ``(n_clusters,)``, float64 holding whole numbers.

    Raises:
        ValueError: no query, lengths that differ, or values outside [-1, 1].
    """
    if len(values) == 0 or len(values) != len(clusters):
        raise ValueError(
            f"expected a cluster for each of at least one query, found {len(values)} queries "
            f"and {len(clusters)} clusters"
        )
    if not np.all(np.abs(values) <= 1.0 + UNIT / 2):
        raise ValueError("expected values in [-1, 1], found others")
    _, index, sizes = np.unique(clusters, return_inverse=True, return_counts=True)
    sums = [np.bincount(index, column, len(sizes)) for column in np.rint(values / UNIT).T]
    return np.stack(sums, axis=1), sizes.astype(np.float64)


def canonical(sums: Floats, counts: Floats) -> tuple[Floats, Floats]:
    """Return sums and counts with each measure's clusters sorted by (sum, count): both as they were.

    Draws hit positions, so an order that follows from the content alone makes labels not matter;
    sorting each measure by itself makes the other measures not matter.

    Args:
        sums, counts: ``(n_clusters, n_measures)`` float64; measures may have clusters of their own.
    """
    order = np.stack([np.lexsort(keys) for keys in zip(counts.T, sums.T, strict=True)], axis=1)
    return np.take_along_axis(sums, order, axis=0), np.take_along_axis(counts, order, axis=0)
