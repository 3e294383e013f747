"""Paired comparisons against literals, naive loops and simulation under the null."""

from itertools import product

import numpy as np
import pandas as pd
import pytest

from tests.evaluation.statistics.test_intervals import clustered_ranks, measures
from text2image.evaluation.measures import MRR, Measure
from text2image.evaluation.outputs import ONE_MODEL, compare_models
from text2image.evaluation.ranked import RankedQueries
from text2image.evaluation.results import Results
from text2image.evaluation.statistics import comparison
from text2image.evaluation.statistics.comparison import (
    Comparison,
    compare,
    detectable_difference,
    holm,
    randomisation_test,
    verdict,
)
from text2image.evaluation.statistics.intervals import difference_intervals
from text2image.evaluation.summary import Resampling
from text2image.queries.clusters import cluster_sums


def two_models(seed: int, n_clusters: int = 60) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    ranks, clusters = clustered_ranks(np.random.default_rng(seed), n_clusters, 1.0, models=2)
    return measures(ranks[:, 0]), measures(ranks[:, 1]), clusters


@pytest.mark.slow
def test_false_positives_under_the_null() -> None:
    """Two models alike: 5 % of the tests say otherwise; flipping single queries says so far too often."""
    generator, repetitions = np.random.default_rng(2), 2000
    found, plain = np.zeros(2), np.zeros(2)
    for seed in range(repetitions):
        ranks, clusters = clustered_ranks(generator, 60, 1.0, models=2)
        difference = measures(ranks[:, 0]) - measures(ranks[:, 1])
        for rejected, own in ((found, clusters), (plain, np.arange(len(clusters)))):
            p_values = randomisation_test(cluster_sums(difference, own)[0], permutations=499, seed=seed)
            rejected += p_values <= 0.05
    assert np.all(np.abs(found / repetitions - 0.05) <= 0.015), found
    assert np.all(plain / repetitions > 0.10), plain


@pytest.mark.slow
def test_coverage_of_differences() -> None:
    """Two models of which the second is better."""

    def differences(n_clusters: int) -> tuple[np.ndarray, np.ndarray]:
        ranks, clusters = clustered_ranks(generator, n_clusters, 1.0, models=2)
        return measures(ranks[:, 0]) - measures(np.ceil(ranks[:, 1] / 2)), clusters

    generator, covered, repetitions = np.random.default_rng(3), np.zeros(2), 2000
    truth = differences(300_000)[0].mean(axis=0)
    for seed in range(repetitions):
        low, high = difference_intervals(*differences(60), seed=seed)
        covered += (low <= truth) & (truth <= high)
    assert np.all(covered / repetitions >= 0.92), covered
    assert np.all(covered / repetitions <= 0.975), covered


def test_the_randomisation_test_equals_all_flips() -> None:
    """Against the exact p-value over all 2^10 signs."""
    sums = np.array([3, -1, 4, 1, 5, -2, 6, 5, -3, 0])[:, None].astype(float)
    flipped = np.array(list(product([-1, 1], repeat=10))) @ sums
    exact = np.mean(np.abs(flipped) >= abs(sums.sum()))
    assert randomisation_test(sums, permutations=50_000, seed=0)[0] == pytest.approx(exact, abs=0.006)


def test_p_values_by_hand() -> None:
    assert randomisation_test(np.zeros((5, 1)), permutations=99, seed=0).tolist() == [1.0]
    assert randomisation_test(np.ones((60, 1)), permutations=99, seed=0).tolist() == [0.01]


@pytest.mark.parametrize("block_signs", [1, 1000, 10**6])
def test_blocks_change_nothing(block_signs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second, clusters = two_models(0)
    sums, _ = cluster_sums(first - second, clusters)
    expected = randomisation_test(sums, permutations=300, seed=1)
    monkeypatch.setattr(comparison, "BLOCK_SIGNS", block_signs)
    np.testing.assert_array_equal(randomisation_test(sums, permutations=300, seed=1), expected)


def test_order_changes_no_byte() -> None:
    first, second, clusters = two_models(1)
    order = np.random.default_rng(0).permutation(len(first))
    once = compare(first, second, clusters, permutations=999, seed=3)
    again = compare(first[order][:, ::-1], second[order][:, ::-1], -clusters[order], permutations=999, seed=3)
    assert once == again[::-1]


def test_swapped_models_swap_signs() -> None:
    first, second, clusters = two_models(2)
    forward = compare(first, second, clusters, permutations=999, seed=3)
    backward = compare(second, first, clusters, permutations=999, seed=3)
    for here, there in zip(forward, backward, strict=True):
        assert there == here._replace(difference=-here.difference, low=-here.high, high=-here.low)


def test_a_difference_is_found_and_none_is_not() -> None:
    first, _, clusters = two_models(3, 100)
    worse, _, _ = two_models(3, 100)
    worse[:, 1] *= 0.5
    same, halved = compare(first, worse, clusters, permutations=999, seed=0)
    assert (same.difference, same.p_value, same.detectable) == (0.0, 1.0, None)
    assert same.low == -same.high == pytest.approx(0.025 ** (1 / 100) - 1)
    assert halved.difference == pytest.approx(first[:, 1].mean() / 2)
    assert halved.p_value == 0.001
    assert 0 < halved.low < halved.difference < halved.high


def test_different_shapes_are_an_error() -> None:
    with pytest.raises(ValueError, match=r"found \(2, 1\) and \(3, 1\)"):
        compare(np.ones((2, 1)), np.ones((3, 1)), np.arange(2), seed=0)


def test_holm_by_hand() -> None:
    """Holm's procedure on four p-values, as in R's ``p.adjust(c(.01, .04, .03, .005))``."""
    np.testing.assert_allclose(holm(np.array([0.01, 0.04, 0.03, 0.005])), [0.03, 0.06, 0.06, 0.02])
    np.testing.assert_allclose(holm(np.array([0.9, 0.6])), [1.0, 1.0])
    assert len(holm(np.empty(0))) == 0


@pytest.mark.slow
def test_the_detectable_difference_is_detected_in_four_of_five() -> None:
    """Normal differences, one query a cluster: shifted by what it says, a t-test finds 80 %."""
    generator, n, found = np.random.default_rng(4), 50, []
    noise = generator.normal(0, 0.1, (2000, n)).clip(-0.7, 0.7)
    for row in noise:
        shifted = row + (1.96 * 1.026 + 0.849) * 0.1 / np.sqrt(n)
        found.append(shifted.mean() / (shifted.std(ddof=1) / np.sqrt(n)) > 2.0096)
    assert np.mean(found) == pytest.approx(0.8, abs=0.03)
    stated = [detectable_difference(*_column(row)) for row in noise[:200]]
    assert np.mean([value for value in stated if value is not None]) == pytest.approx(
        (1.96 * 1.026 + 0.849) * 0.1 / np.sqrt(n), rel=0.03
    )


def _column(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    sums, counts = cluster_sums(values[:, None], np.arange(len(values)))
    return sums[:, 0], counts


HIT_RATE = Measure("hit_rate", 5)
BETTER = Comparison(0.31, 0.26, 0.36, 0.0001, 0.07, 240)
ALIKE = Comparison(-0.01, -0.05, 0.03, 0.6, 0.06, 240)


def test_verdicts_by_hand() -> None:
    assert verdict("siglip", "builtin", HIT_RATE, BETTER, 0.001) == (
        "siglip finds the image in the top 5 more often than builtin: +0.31 [0.26, 0.36], n = 240"
    )
    assert verdict("builtin", "siglip", HIT_RATE, ALIKE, 1.0) == (
        "cannot tell siglip and builtin apart by the share of queries with the image in the top 5: "
        "+0.01 [-0.03, 0.05], n = 240; a difference of 0.06 would have shown"
    )
    assert verdict("siglip", "builtin", MRR, BETTER, 0.08) == (
        "cannot tell siglip and builtin apart by the mean reciprocal rank of the image: "
        "+0.31 [0.26, 0.36], n = 240; p = 0.08 after Holm's correction for all comparisons"
    )
    same = Comparison(0.0, -0.004, 0.004, 1.0, None, 1000)
    assert verdict("b", "a", MRR, same, 1.0) == (
        "cannot tell a and b apart by the mean reciprocal rank of the image: +0.000 [-0.004, 0.004], n = 1000"
    )
    assert verdict("a", "b", MRR, BETTER, 0.001).startswith("a ranks the image higher than b: +0.31")
    with pytest.raises(ValueError, match="found 'recall@5'"):
        verdict("a", "b", Measure("recall", 5), BETTER, 0.001)


def results(values: np.ndarray, clusters: np.ndarray) -> Results:
    """Return results of queries q0, q1, … from their hit_rate@5 and mrr."""
    queries = pd.DataFrame({"query_id": [f"q{i}" for i in range(len(clusters))]})
    one = np.ones(len(clusters), dtype=np.int64)
    return Results(
        queries, RankedQueries(np.rint(1 / values[:, 1]).astype(np.int64), one, one, 500, clusters)
    )


def test_all_pairs_are_compared_by_each_measure() -> None:
    first, second, clusters = two_models(4)
    a, b = (results(values, clusters) for values in (first, second))
    models = {("a", "s"): a, ("a", "t"): a, ("b", "s"): b, ("c", "s"): a}
    table = compare_models(models, [HIT_RATE, MRR], HIT_RATE, Resampling(2000, 1))
    assert table["t"] == {"summary": [ONE_MODEL]}
    assert list(table["s"]) == ["summary", "a - b", "a - c", "b - c"]
    assert len(table["s"]["summary"]) == 3
    alone = compare(first, second, clusters, resamples=2000, seed=1)
    for one, name in zip(alone, ("hit_rate@5", "mrr"), strict=True):
        figures = table["s"]["a - b"][name]
        assert (figures["difference"], figures["p_value"]) == (one.difference, one.p_value)
    fewer = results(second[1:], clusters[1:])
    with pytest.raises(ValueError, match="expected all models on the same queries"):
        compare_models({("a", "s"): a, ("b", "s"): fewer}, [MRR], MRR, Resampling(9, 1))


def test_the_headline_of_a_source_is_one_family() -> None:
    """Another source or measure makes no claim harder, and only what is claimed is corrected."""
    first, second, clusters = two_models(4)
    a, b = (results(values, clusters) for values in (first, second))
    of_s = {("a", "s"): a, ("b", "s"): b, ("c", "s"): a}
    alone = compare_models(of_s, [HIT_RATE], HIT_RATE, Resampling(2000, 1))["s"]
    among = compare_models(
        of_s | {("a", "t"): a, ("b", "t"): b}, [HIT_RATE, MRR], HIT_RATE, Resampling(2000, 1)
    )
    assert [{str(HIT_RATE): row[str(HIT_RATE)]} for name, row in among["s"].items() if " - " in name] == [
        row for name, row in alone.items() if " - " in name
    ]
    assert "p_holm" not in among["s"]["a - b"]["mrr"]
    raw = [alone[name]["hit_rate@5"]["p_value"] for name in ("a - b", "a - c", "b - c")]
    assert [alone[name]["hit_rate@5"]["p_holm"] for name in ("a - b", "a - c", "b - c")] == holm(
        np.array(raw)
    ).tolist()


def test_circular_pairs_take_part_in_no_comparison() -> None:
    first, second, clusters = two_models(4)
    a, b = (results(values, clusters) for values in (first, second))
    models = {("a", "s"): a, ("b", "s"): b, ("c", "s"): a, ("c", "t"): a, ("b", "t"): b}
    table = compare_models(models, [MRR], MRR, Resampling(2000, 1), {("c", "s"), ("c", "t")})
    assert list(table["s"]) == ["summary", "a - b"]
    assert table["t"] == {"summary": [ONE_MODEL]}
    without = {key: one for key, one in models.items() if key[0] != "c"}
    assert compare_models(without, [MRR], MRR, Resampling(2000, 1))["s"] == table["s"]


def test_the_verdict_does_not_depend_on_who_is_first() -> None:
    for found in (BETTER, ALIKE):
        swapped = found._replace(difference=-found.difference, low=-found.high, high=-found.low)
        assert verdict("a", "b", MRR, found, 0.01) == verdict("b", "a", MRR, swapped, 0.01)
