"""Intervals against literals, a naive bootstrap and simulation."""

import numpy as np
import pytest
from scipy.special import stdtrit
from scipy.stats import binom

from text2image.evaluation.statistics import intervals
from text2image.evaluation.statistics.intervals import (
    bootstrap_means,
    cluster_intervals,
    cluster_weights,
    difference_intervals,
    with_pseudo_clusters,
)
from text2image.evaluation.statistics.median import median_interval
from text2image.queries.clusters import canonical, cluster_sums

UNIT = 2.0**-30


def clustered_ranks(
    generator: np.random.Generator, n_clusters: int, difficulty: float, models: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Return ranks ``(n_queries, models)`` in a gallery of 500 and the clusters of the queries.

    1 to 4 queries a cluster with correlated (0.85) log-normal ranks; larger clusters are easier.
    """
    sizes = generator.integers(1, 5, n_clusters)
    clusters = np.repeat(np.arange(n_clusters), sizes)
    shared = generator.normal(size=(n_clusters, models))[clusters]
    own = generator.normal(size=(len(clusters), models))
    latent = np.sqrt(0.85) * shared + np.sqrt(0.15) * own
    mean = difficulty - 0.3 * (sizes[clusters] - 2.5)
    return 1 + np.floor(np.exp(mean[:, None] + 2.0 * latent).clip(0, 499)), clusters


def measures(ranks: np.ndarray) -> np.ndarray:
    """Return hit_rate@5 and mrr of one model: ``(n_queries, 2)``."""
    return np.stack([ranks <= 5, 1.0 / ranks], axis=1).astype(np.float64)


def example(seed: int = 0, n_clusters: int = 60) -> tuple[np.ndarray, np.ndarray]:
    ranks, clusters = clustered_ranks(np.random.default_rng(seed), n_clusters, 1.0)
    return measures(ranks[:, 0]), clusters


@pytest.mark.slow
def test_intervals_that_forget_the_clusters_are_too_short() -> None:
    """200 repetitions: intervals over single queries cover the truth in fewer than 0.88."""
    generator, covered = np.random.default_rng(1), np.zeros(2)
    truth = measures(clustered_ranks(generator, 300_000, 1.0)[0][:, 0]).mean(axis=0)
    for seed in range(200):
        values = measures(clustered_ranks(generator, 60, 1.0)[0][:, 0])
        low, high = cluster_intervals(values, np.arange(len(values)), seed=seed)
        covered += (low <= truth) & (truth <= high)
    assert np.all(covered / 200 < 0.88), covered


def sorted_sums(values: np.ndarray, clusters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    sums, counts = cluster_sums(values, clusters)
    return canonical(sums, np.broadcast_to(counts[:, None], sums.shape))


def test_resampled_means_equal_a_naive_loop() -> None:
    values, clusters = example(n_clusters=12)
    sums, counts = sorted_sums(values, clusters)
    fast = bootstrap_means(sums, counts, 50, 3)
    (weights,) = cluster_weights(12, 50, 3)
    for row, drawn in zip(fast, weights, strict=True):
        for j in range(2):
            members = np.repeat(np.arange(12), drawn.astype(int))
            total = sum(sums[c, j] for c in members) * UNIT
            assert row[j] == pytest.approx(total / sum(counts[c, j] for c in members), abs=1e-12)


@pytest.mark.parametrize("block_draws", [1, 100, 997, 10**6])
def test_blocks_change_nothing(block_draws: int, monkeypatch: pytest.MonkeyPatch) -> None:
    sums, counts = sorted_sums(*example())
    expected = bootstrap_means(sums, counts, 200, 5)
    monkeypatch.setattr(intervals, "BLOCK_DRAWS", block_draws)
    np.testing.assert_array_equal(bootstrap_means(sums, counts, 200, 5), expected)


def test_order_and_labels_change_no_byte() -> None:
    values, clusters = example()
    generator = np.random.default_rng(9)
    low, high = cluster_intervals(values, clusters, seed=4)
    order = generator.permutation(len(values))
    labels = generator.permutation(1000)[:60]
    again = cluster_intervals(values[order][:, ::-1], labels[clusters][order], seed=4)
    assert (low[::-1].tobytes(), high[::-1].tobytes()) == (again[0].tobytes(), again[1].tobytes())
    alone = cluster_intervals(values[:, 1:], clusters, seed=4)
    assert (low[1], high[1]) == (alone[0][0], alone[1][0])
    assert cluster_intervals(values, clusters, seed=5)[0].tobytes() != low.tobytes()


def test_the_interval_holds_the_mean_and_keeps_within_the_bounds() -> None:
    for seed in range(50):
        ranks, clusters = clustered_ranks(np.random.default_rng(seed), 8, -2.0)
        values = measures(ranks[:, 0])
        low, high = cluster_intervals(values, clusters, resamples=200, seed=seed)
        assert np.all(low >= 0)
        assert np.all(low <= values.mean(axis=0))
        assert np.all(values.mean(axis=0) <= high)
        assert np.all(high <= 1)


def test_queries_without_spread_by_hand() -> None:
    """Six perfect queries: Clopper and Pearson's [0.025^(1/6), 1], not [1, 1]."""
    low, high = cluster_intervals(np.array([[1.0, 0.0, 0.5]] * 6), np.arange(6), seed=0)
    np.testing.assert_allclose(low, [0.5407, 0.0, 0.2704], atol=1e-4)
    np.testing.assert_allclose(high, [1.0, 0.4593, 0.7296], atol=1e-4)


@pytest.mark.parametrize("n_clusters", [1, 3, 4])
def test_fewer_than_five_clusters_have_no_interval(n_clusters: int) -> None:
    values, clusters = np.linspace(0, 1, 12)[:, None], np.arange(12) % n_clusters
    assert np.isnan(cluster_intervals(values, clusters, seed=0)).all()
    assert np.isnan(difference_intervals(values, clusters, seed=0)).all()
    assert median_interval(np.arange(12), clusters, (1, 50)) is None


def test_a_pseudo_cluster_stands_at_each_end_of_an_interval() -> None:
    """Five queries of six are first: the lower end is that of the six and a seventh that fails."""
    values, clusters = np.array([[1.0]] * 5 + [[0.0]]), np.arange(6)
    sums, counts = (side.reshape(6, -1) for side in cluster_sums(values, clusters))
    low, high = cluster_intervals(values, clusters, seed=0)
    assert low[0] < 0.3 < 0.99 < high[0]
    again, _ = intervals._bca(*with_pseudo_clusters(sums, counts, 0.0), 2000, 0)
    assert low == again


def test_unequal_clusters_widen_the_level() -> None:
    """By hand: shares 0.5 and five of 0.1 give 0.3 and 0.13 for their squares and cubes, and 1.31 degrees of freedom."""
    counts = np.array([[5.0, 1.0, 1.0, 1.0, 1.0, 1.0]]).T
    assert intervals._tail(counts)[0] == pytest.approx(
        stdtrit(0.3 / 0.13 - 1, 0.025) / np.sqrt(1 - 2 * 0.13 / 0.3 + 0.3)
    )
    assert intervals._tail(np.ones((31, 1)))[0] == pytest.approx(-2.0423 * np.sqrt(31 / 30), abs=1e-4)


def test_opposite_differences_have_opposite_ends() -> None:
    values, clusters = example()
    other, _ = example(seed=1, n_clusters=200)
    difference = values - other[: len(values)]
    low, high = difference_intervals(difference, clusters, seed=0)
    np.testing.assert_array_equal(difference_intervals(-difference, clusters, seed=0), (-high, -low))
    even = np.array([[1.0], [-1.0], [0.0], [0.0], [0.0]])
    low, high = difference_intervals(even, np.arange(5), seed=0)
    assert low[0] == -high[0] < 0


def test_a_measure_of_one_but_for_rounding_is_no_error() -> None:
    low, high = cluster_intervals(np.full((5, 1), np.nextafter(1.0, 2.0)), np.arange(5), seed=0)
    assert (low[0], high[0]) == (pytest.approx(0.025 ** (1 / 5)), 1.0)


def test_wrong_input_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"within \(0.0, 1.0\), found -1"):
        cluster_intervals(np.array([[-1.0]]), np.array([0]), seed=0)
    with pytest.raises(ValueError, match="at least one query"):
        cluster_intervals(np.empty((0, 1)), np.empty(0, int), seed=0)
    with pytest.raises(ValueError, match="found 2 queries and 1 clusters"):
        cluster_intervals(np.ones((2, 1)), np.array([0]), seed=0)
    with pytest.raises(ValueError, match="found others"):
        cluster_intervals(np.array([[np.nan]]), np.array([0]), seed=0)


def test_the_interval_of_a_median_ignores_order_and_labels() -> None:
    generator = np.random.default_rng(4)
    values, clusters = generator.integers(1, 60, 200), generator.integers(0, 70, 200)
    low, high = median_interval(values, clusters, (1, 99)) or (0, 0)
    assert low < np.median(values) < high
    shuffled = generator.permutation(200)
    assert median_interval(values[shuffled], 99 - clusters[shuffled], (1, 99)) == (low, high)


@pytest.mark.parametrize("n", [6, 8, 9, 14, 30, 100])
def test_the_interval_of_a_median_of_single_queries_is_of_order_statistics(n: int) -> None:
    """The usual ones, or the next further out: as many values are outside as the binomial allows."""
    low, high = median_interval(np.arange(1, n + 1), np.arange(n), (0, n + 1)) or (0, 0)
    outside = int(low) - 1
    assert high == n + 1 - low
    assert binom.cdf(outside, n, 0.5) <= 0.025 < binom.cdf(outside + 2, n, 0.5)


def test_few_clusters_do_not_bound_a_median() -> None:
    five, six = (median_interval(np.full(n, 3), np.arange(n), (1, 50)) for n in (5, 6))
    assert (five, six) == ((1.0, 50.0), (3.0, 3.0))
