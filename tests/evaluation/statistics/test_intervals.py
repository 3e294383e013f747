"""Intervals against literals, a naive bootstrap and simulation."""

import numpy as np
import pytest

from text2image.evaluation.statistics import intervals
from text2image.evaluation.statistics.intervals import (
    bootstrap_means,
    cluster_intervals,
    cluster_weights,
    difference_intervals,
    standard_error,
    student_t,
)
from text2image.evaluation.summary import median_interval
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
@pytest.mark.parametrize(("difficulty", "n_clusters"), [(1.0, 60), (3.0, 60), (-1.0, 60), (1.0, 100)])
def test_coverage(difficulty: float, n_clusters: int) -> None:
    """The interval covers the truth as often as it says; one that forgets the clusters does not.

    2,000 repetitions have a standard error of 0.5 %, so that the limits test the method, not the seed.
    """
    generator = np.random.default_rng(1)
    truth = measures(clustered_ranks(generator, 300_000, difficulty)[0][:, 0]).mean(axis=0)

    def covered(repetitions: int, by_cluster: bool) -> np.ndarray:
        found = np.zeros(2)
        for seed in range(repetitions):
            ranks, clusters = clustered_ranks(generator, n_clusters, difficulty)
            own = clusters if by_cluster else np.arange(len(clusters))
            low, high = cluster_intervals(measures(ranks[:, 0]), own, seed=seed)
            found += (low <= truth) & (truth <= high)
        return found / repetitions

    by_cluster = covered(2000, True)
    assert np.all(by_cluster >= 0.92), by_cluster
    assert np.all(by_cluster <= 0.975), by_cluster
    by_query = covered(500, False)
    assert np.all(by_query < 0.88), by_query


def test_resampled_means_equal_a_naive_loop() -> None:
    values, clusters = example(n_clusters=12)
    sums, counts = canonical(*cluster_sums(values, clusters))
    fast = bootstrap_means(sums, counts, 50, 3)
    (weights,) = cluster_weights(12, 50, 3, 10**6)
    for row, drawn in zip(fast, weights, strict=True):
        for j in range(2):
            members = np.repeat(np.arange(12), drawn.astype(int))
            total = sum(sums[c, j] for c in members) * UNIT
            assert row[j] == pytest.approx(total / sum(counts[c, j] for c in members), abs=1e-12)


@pytest.mark.parametrize("block_draws", [1, 100, 997, 10**6])
def test_blocks_change_nothing(block_draws: int, monkeypatch: pytest.MonkeyPatch) -> None:
    sums, counts = canonical(*cluster_sums(*example()))
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
    """Three perfect queries: Clopper and Pearson's [0.025^(1/3), 1], not [1, 1]."""
    low, high = cluster_intervals(np.array([[1.0, 0.0, 0.5]] * 3), np.arange(3), seed=0)
    np.testing.assert_allclose(low, [0.2924, 0.0, 0.1462], atol=1e-4)
    np.testing.assert_allclose(high, [1.0, 0.7076, 0.8538], atol=1e-4)
    low, high = cluster_intervals(np.array([[1.0], [0.0]]), np.zeros(2, int), seed=0)
    np.testing.assert_allclose([low[0], high[0]], [0.0125, 0.9875])


def test_opposite_differences_have_opposite_ends() -> None:
    values, clusters = example()
    other, _ = example(seed=1, n_clusters=200)
    difference = values - other[: len(values)]
    low, high = difference_intervals(difference, clusters, seed=0)
    np.testing.assert_array_equal(difference_intervals(-difference, clusters, seed=0), (-high, -low))
    even = np.array([[1.0], [-1.0], [0.0], [0.0]])
    low, high = difference_intervals(even, np.arange(4), seed=0)
    assert low[0] == -high[0] < 0


def test_a_measure_of_one_but_for_rounding_is_no_error() -> None:
    low, high = cluster_intervals(np.array([[np.nextafter(1.0, 2.0)], [0.0]]), np.arange(2), seed=0)
    assert (low[0], high[0]) == (0.0, 1.0)


def test_wrong_input_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"within \(0.0, 1.0\), found -1"):
        cluster_intervals(np.array([[-1.0]]), np.array([0]), seed=0)
    with pytest.raises(ValueError, match="at least one query"):
        cluster_intervals(np.empty((0, 1)), np.empty(0, int), seed=0)
    with pytest.raises(ValueError, match="found 2 queries and 1 clusters"):
        cluster_intervals(np.ones((2, 1)), np.array([0]), seed=0)
    with pytest.raises(ValueError, match="found others"):
        cluster_intervals(np.array([[np.nan]]), np.array([0]), seed=0)


def test_standard_error_by_hand() -> None:
    """Clusters (1, 1) and (0): mean 2/3, residuals 2/3 and -2/3, so sqrt(2 * 8/9) / 3."""
    sums, counts = cluster_sums(np.array([[1.0], [1.0], [0.0]]), np.array([7, 7, 2]))
    assert standard_error(sums[:, 0], counts) == pytest.approx(4 / 9)
    thirds = np.array([[1.0], [0.0], [0.0]] * 5)
    sums, counts = cluster_sums(thirds, np.repeat(np.arange(5), 3))
    assert standard_error(sums[:, 0], counts) == 0.0


@pytest.mark.parametrize(("freedom", "expected"), [(1, 12.7062), (5, 2.5706), (30, 2.0423), (240, 1.9699)])
def test_student_t_against_the_table(freedom: int, expected: float) -> None:
    assert student_t(0.975, freedom) == pytest.approx(expected, abs=5e-5)
    assert student_t(0.025, freedom) == pytest.approx(-student_t(0.975, freedom))


def test_the_interval_of_a_median_holds_it_and_ignores_the_order() -> None:
    generator = np.random.default_rng(4)
    values, clusters = generator.integers(1, 60, 200), generator.integers(0, 70, 200)
    low, high = median_interval(values, clusters, seed=1)
    assert low < np.median(values) < high
    shuffled = generator.permutation(200)
    assert median_interval(values[shuffled], 99 - clusters[shuffled], seed=1) == (low, high)
    assert median_interval(np.array([3]), np.array([0]), seed=1) == (3.0, 3.0)


@pytest.mark.slow
def test_the_interval_of_a_median_covers_it() -> None:
    """300 samples of independent queries from ranks whose median is 20; whole ranks err on the safe side."""
    generator = np.random.default_rng(5)
    covered, widths = 0, []
    for _ in range(300):
        values = generator.integers(1, 40, 101)
        low, high = median_interval(values, np.arange(101), resamples=2000, seed=2)
        covered += low <= 20 <= high
        widths.append(high - low)
    assert covered / 300 >= 0.92
    assert np.mean(widths) < 12
