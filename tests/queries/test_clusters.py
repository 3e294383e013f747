"""Clusters of queries that share a near-duplicate group: by hand, and against a naive union."""

import time

import numpy as np
import pytest

from text2image.queries.clusters import query_clusters


def test_query_clusters_by_hand() -> None:
    """Queries 0 and 3 share group 7, 3 and 4 share group 5; 2 has no pair."""
    queries, groups = np.array([0, 1, 3, 3, 4]), np.array([7, 9, 7, 5, 5])
    assert query_clusters(queries, groups, 5).tolist() == [0, 1, 2, 0, 0]
    assert query_clusters(np.empty(0, int), np.empty(0, int), 2).tolist() == [0, 1]
    with pytest.raises(ValueError, match=r"queries in \[0, 4\)"):
        query_clusters(queries, groups, 4)


@pytest.mark.parametrize("seed", range(5))
def test_query_clusters_equal_a_naive_union(seed: int) -> None:
    generator = np.random.default_rng(seed)
    queries, groups = generator.integers(0, 300, 320), generator.integers(0, 250, 320)
    naive = list(range(550))
    for left, right in zip(queries.tolist(), (300 + groups).tolist(), strict=True):
        low, high = sorted((naive[left], naive[right]))
        naive = [low if cluster == high else cluster for cluster in naive]
    np.testing.assert_array_equal(
        query_clusters(queries, groups, 300), np.unique(naive[:300], return_inverse=True)[1]
    )


@pytest.mark.slow
@pytest.mark.parametrize("chain", [False, True])
def test_100_000_queries_take_less_than_a_second(chain: bool) -> None:
    """Small clusters, and one chain through all queries in random order."""
    generator, n = np.random.default_rng(0), 100_000
    queries = np.repeat(generator.permutation(n), 2)
    groups = (np.arange(2 * n) + 1) // 2 if chain else generator.integers(0, n, 2 * n)
    start = time.perf_counter()
    found = query_clusters(queries, groups, n)
    assert time.perf_counter() - start < 1.0
    assert not chain or found.max() == 0
