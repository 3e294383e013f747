"""What intervals promise, by simulation: few and many clusters, skewed measures, chance level, unequal clusters."""

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest

from tests.evaluation.statistics.simulation import DESIGNS, N_IMAGES, Sample, draw, hit, reciprocal_rank
from text2image.evaluation.statistics.intervals import MIN_CLUSTERS, mean_difference_intervals, mean_intervals
from text2image.evaluation.statistics.median import median_interval

LEAST = 0.93
REPETITIONS = 1000
MEDIANS = 300
"""Repetitions for medians, one at a time."""

CLUSTERS = (3, 5, 10, 30, pytest.param(100, marks=pytest.mark.slow))
MEASURES = {"mrr": reciprocal_rank, "hit_rate": hit}


@cache
def population(design: str) -> Sample:
    """Return so many queries that the truth is known: a million."""
    return draw(design, 100, 4000, seed=99)


def truth(design: str, of_ranks: Callable[[np.ndarray], np.ndarray]) -> tuple[float, float]:
    """Return the mean of a measure under the first model, and by how much it is larger under the second."""
    first, second = (float(of_ranks(ranks).mean()) for ranks in population(design).ranks)
    return first, second - first


def covered(low: np.ndarray, high: np.ndarray, true: float) -> float:
    return float(np.mean((low <= true + 1e-9) & (true - 1e-9 <= high)))


@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.parametrize("n_clusters", CLUSTERS)
@pytest.mark.parametrize("measure", MEASURES)
def test_intervals_cover_the_truth(measure: str, n_clusters: int, design: str) -> None:
    """At least 0.93 from 5 clusters on, of means and of differences; fewer clusters have no interval."""
    of_ranks: Callable[[np.ndarray], np.ndarray] = MEASURES[measure]
    sample, true = draw(design, n_clusters, REPETITIONS, seed=7), truth(design, of_ranks)
    sizes = sample.sizes.astype(np.float64)
    first, second = (of_ranks(ranks) for ranks in sample.ranks)
    mean = mean_intervals(sample.sums(first), sizes, resamples=2000, seed=1)
    difference = mean_difference_intervals(sample.sums(second - first), sizes, resamples=2000, seed=1)
    for (low, high), value in zip((mean, difference), true, strict=True):
        if n_clusters < MIN_CLUSTERS:
            assert np.isnan([low, high]).all()
        else:
            assert covered(low, high, value) >= LEAST


@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.parametrize("n_clusters", CLUSTERS)
def test_intervals_of_the_median_cover_it(n_clusters: int, design: str) -> None:
    sample, true = draw(design, n_clusters, MEDIANS, seed=7), np.median(population(design).ranks[0])
    repetition, cluster = np.divmod(sample.cluster, n_clusters)
    starts = np.searchsorted(repetition, np.arange(1, MEDIANS))
    ends = [
        median_interval(ranks, of, (1, N_IMAGES))
        for ranks, of in zip(
            np.split(sample.ranks[0].astype(np.int64), starts), np.split(cluster, starts), strict=True
        )
    ]
    if n_clusters < MIN_CLUSTERS:
        assert set(ends) == {None}
    else:
        low, high = np.array(ends, dtype=np.float64).T
        assert covered(low, high, float(true)) >= LEAST
