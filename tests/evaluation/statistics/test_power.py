"""The detectable difference: true to its 80 % in families of any size, by simulation."""

import numpy as np
import pytest

from tests.evaluation.statistics.simulation import draw, hit
from text2image.evaluation.statistics.intervals import mean_difference_intervals
from text2image.evaluation.statistics.power import clusters_needed, detectable_difference
from text2image.evaluation.statistics.randomisation import (
    ALPHA,
    family_permutations,
    holm,
    randomisation_test,
)

N_CLUSTERS, REPETITIONS, STATED = 100, 1000, 60


def differences(better: float, repetitions: int, seed: int) -> tuple[np.ndarray, np.ndarray, float]:
    """Return sums of HitRate@5's differences over clusters, the clusters' sizes, and the mean difference."""
    sample = draw("ordinary", N_CLUSTERS, repetitions, seed, better=better)
    difference = hit(sample.ranks[1]) - hit(sample.ranks[0])
    return sample.sums(difference), sample.sizes.astype(np.float64), float(difference.mean())


def detectable(better: float, n_comparisons: int) -> float:
    """Return what is said to be detectable, the mean of a few repetitions."""
    sums, sizes, _ = differences(better, STATED, 5)
    stated = [detectable_difference(*columns, n_comparisons) for columns in zip(sums.T, sizes.T, strict=True)]
    return float(np.mean([value or 1.0 for value in stated]))


def detected(n_comparisons: int) -> float:
    """Return by how much a model must be better so that this is the difference said to be detectable."""
    low, high = 0.0, 4.0
    for _ in range(7):
        better = (low + high) / 2.0
        found = differences(better, 1000, 6)[2] >= detectable(better, n_comparisons)
        low, high = (low, better) if found else (better, high)
    return high


@pytest.mark.parametrize(
    "n_comparisons", [4, 180, *(pytest.param(n, marks=pytest.mark.slow) for n in (12, 72))]
)
def test_a_detectable_difference_is_claimed_in_four_of_five(n_comparisons: int) -> None:
    """One comparison among others of models that are alike, claimed as sentences claim."""
    sums, sizes, _ = differences(detected(n_comparisons), REPETITIONS, 7)
    p_values = randomisation_test(sums, permutations=family_permutations(n_comparisons), seed=1)
    low, _ = mean_difference_intervals(sums, sizes, resamples=2000, seed=1)
    others = np.random.default_rng(8).uniform(size=(REPETITIONS, n_comparisons - 1))
    adjusted = [holm(np.append(p, row))[0] for p, row in zip(p_values, others, strict=True)]
    assert 0.75 <= np.mean((np.array(adjusted) < ALPHA) & (low > 0.0)) <= 0.9


@pytest.mark.parametrize("n_comparisons", [1, 4, 12, 180, 5000])
def test_as_many_clusters_are_needed_as_can_reject(n_comparisons: int) -> None:
    n = clusters_needed(n_comparisons)
    assert 2.0 ** (1 - n) * n_comparisons < ALPHA <= 2.0 ** (2 - n) * n_comparisons


def test_what_cannot_be_reached_is_not_promised() -> None:
    """Of 30 queries, 8 must differ in one direction among 4 comparisons; if two models are alike, or all but."""
    one = np.ones(30)
    generator = np.random.default_rng(0)
    least = detectable_difference(np.zeros(30), one, 4)
    assert least is not None
    assert np.mean(generator.binomial(30, least, 20_000) >= 8) == pytest.approx(0.8, abs=0.01)
    nearly = np.zeros(30)
    nearly[:2] = 2.0**30, -(2.0**30)
    assert (detectable_difference(nearly, one, 4) or 0.0) >= least
    assert detectable_difference(np.zeros(7), np.ones(7), 4) is None


def test_larger_families_need_larger_differences() -> None:
    sums, sizes, _ = differences(0.3, 1, 1)
    stated = [detectable_difference(sums[:, 0], sizes[:, 0], n) or 0.0 for n in (1, 4, 12, 72, 180)]
    assert stated == sorted(set(stated))
    turned = detectable_difference(-sums[::-1, 0], sizes[::-1, 0], 12)
    assert turned == stated[2], "whoever is first, and whatever the order"
