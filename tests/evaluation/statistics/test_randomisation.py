"""Randomisation tests against literals, all flips, naive loops and simulation under the null; families of them."""

from itertools import product

import numpy as np
import pytest
from scipy.stats import binomtest

from tests.evaluation.statistics.simulation import draw, hit, reciprocal_rank
from text2image.evaluation.statistics import randomisation
from text2image.evaluation.statistics.randomisation import family_permutations, holm, randomisation_test


def test_false_positives_under_the_null() -> None:
    """Two models alike: 5 % of the tests say otherwise; flipping single queries says so far too often."""
    sample = draw("ordinary", 60, 2000, seed=2, better=0.0)
    repetition = sample.cluster // 60
    nth = np.arange(len(repetition)) - np.searchsorted(repetition, repetition)
    for of_ranks in (reciprocal_rank, hit):
        difference = of_ranks(sample.ranks[0]) - of_ranks(sample.ranks[1])
        by_query = np.zeros((nth.max() + 1, 2000))  # clusters of one query; zeros change nothing
        by_query[nth, repetition] = np.rint(difference * 2.0**30)
        by_cluster, plain = (
            np.mean(randomisation_test(sums, permutations=999, seed=1) <= 0.05)
            for sums in (sample.sums(difference), by_query)
        )
        assert by_cluster == pytest.approx(0.05, abs=0.015)
        assert plain > 0.1


@pytest.mark.parametrize("n_clusters", [1, 5, 10, 16])
def test_few_clusters_are_flipped_in_all_ways(n_clusters: int) -> None:
    sums = np.random.default_rng(n_clusters).integers(-3, 9, (n_clusters, 4)).astype(float)
    flipped = np.array(list(product([-1, 1], repeat=n_clusters))) @ sums
    exact = np.mean(np.abs(flipped) >= np.abs(sums.sum(axis=0)), axis=0)
    among_ties = np.concatenate([sums, np.zeros((30, 4))])
    np.testing.assert_array_equal(randomisation_test(sums, seed=0), exact)
    np.testing.assert_array_equal(randomisation_test(among_ties, seed=0), exact)


@pytest.mark.parametrize("losses", [5, 10, 14])
def test_drawn_flips_agree_with_the_binomial(losses: int) -> None:
    """Differences of one size: the sign test, whose p-value is known."""
    sums = np.array([1.0] * (40 - losses) + [-1.0] * losses)[:, None]
    exact = binomtest(losses, 40).pvalue
    assert randomisation_test(sums, permutations=200_000, seed=0)[0] == pytest.approx(
        exact, rel=0.1, abs=2e-5
    )


def test_p_values_by_hand() -> None:
    assert randomisation_test(np.zeros((5, 1)), seed=0).tolist() == [1.0]
    assert randomisation_test(np.ones((6, 1)), seed=0).tolist() == [2 / 64]
    assert randomisation_test(np.ones((60, 1)), permutations=99, seed=0).tolist() == [0.01]


@pytest.mark.parametrize("n_comparisons", [1, 72, 500, 5000])
def test_a_family_can_reject(n_comparisons: int) -> None:
    assert n_comparisons / (family_permutations(n_comparisons) + 1) < 0.05 / 9


def test_what_is_common_is_flipped_no_further() -> None:
    """A rare difference has the p-value of all flips, whatever stands beside it; a common one that of the first."""
    rare, common = np.ones((40, 1)), np.array([1.0, -1.0] * 20)[:, None]
    alone = [randomisation_test(sums, permutations=30_000, seed=3)[0] for sums in (rare, common)]
    together = randomisation_test(np.concatenate([common, rare], axis=1), permutations=30_000, seed=3)
    assert alone == together[::-1].tolist()
    assert alone[0] == 1 / 30_001
    assert alone[1] == randomisation_test(common, seed=3)[0]


@pytest.mark.parametrize("block_signs", [1, 1000, 10**6])
def test_blocks_change_nothing(block_signs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    sums = np.random.default_rng(0).integers(-9, 12, (60, 3)).astype(float)
    expected = randomisation_test(sums, permutations=12_000, seed=1)
    monkeypatch.setattr(randomisation, "BLOCK_SIGNS", block_signs)
    np.testing.assert_array_equal(randomisation_test(sums, permutations=12_000, seed=1), expected)


def test_holm_by_hand() -> None:
    """Holm's procedure on four p-values, as in R's ``p.adjust(c(.01, .04, .03, .005))``."""
    np.testing.assert_allclose(holm(np.array([0.01, 0.04, 0.03, 0.005])), [0.03, 0.06, 0.06, 0.02])
    np.testing.assert_allclose(holm(np.array([0.9, 0.6])), [1.0, 1.0])
    assert len(holm(np.empty(0))) == 0
