"""Paired comparisons against literals, in any order, and what is said of them."""

import numpy as np
import pandas as pd
import pytest

from tests.evaluation.statistics.test_intervals import clustered_ranks, measures
from text2image.evaluation import outputs
from text2image.evaluation.measures import MRR, Measure
from text2image.evaluation.outputs import NONE_TESTED, ONE_SYSTEM, compare_systems
from text2image.evaluation.ranked import RankedQueries
from text2image.evaluation.results import Results
from text2image.evaluation.statistics.comparison import (
    Comparison,
    compare,
    verdict,
)
from text2image.evaluation.statistics.randomisation import holm
from text2image.evaluation.summary import Resampling


def two_models(seed: int, n_clusters: int = 60) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    ranks, clusters = clustered_ranks(np.random.default_rng(seed), n_clusters, 1.0, models=2)
    return measures(ranks[:, 0]), measures(ranks[:, 1]), clusters


def test_order_changes_no_byte() -> None:
    first, second, clusters = two_models(1)
    order = np.random.default_rng(0).permutation(len(first))
    once = compare(first, second, clusters, seed=3)
    again = compare(first[order][:, ::-1], second[order][:, ::-1], -clusters[order], seed=3)
    assert once == again[::-1]


def test_swapped_models_swap_signs() -> None:
    first, second, clusters = two_models(2)
    forward = compare(first, second, clusters, seed=3)
    backward = compare(second, first, clusters, seed=3)
    for here, there in zip(forward, backward, strict=True):
        assert there == here._replace(difference=-here[0], low=-(here[2] or 0), high=-(here[1] or 0))


def test_a_difference_is_found_and_none_is_not() -> None:
    first, _, clusters = two_models(3, 100)
    worse, _, _ = two_models(3, 100)
    worse[:, 1] *= 0.5
    same, halved = compare(first, worse, clusters, seed=0)
    assert (same.difference, same.p_value, same.detectable) == (0.0, 1.0, None)
    assert (same.low, same.high) == pytest.approx((0.025 ** (1 / 100) - 1, 1 - 0.025 ** (1 / 100)))
    assert halved.difference == pytest.approx(first[:, 1].mean() / 2)
    assert halved.p_value == 1 / 10_001
    low, high = halved.low or 0.0, halved.high or 0.0
    assert 0 < low < halved.difference < high


def test_different_shapes_are_an_error() -> None:
    with pytest.raises(ValueError, match=r"found \(2, 1\) and \(3, 1\)"):
        compare(np.ones((2, 1)), np.ones((3, 1)), np.arange(2), seed=0)


HIT_RATE = Measure("hit_rate", 5)
BETTER = Comparison(0.31, 0.26, 0.36, 0.0001, 0.07, 240, 200)
ALIKE = Comparison(-0.01, -0.05, 0.03, 0.6, 0.06, 240, 200)


def test_verdicts_by_hand() -> None:
    assert verdict("siglip", "builtin", HIT_RATE, BETTER, 0.001) == (
        "siglip finds the image in the top 5 more often than builtin: +0.31 [0.26, 0.36], n = 240"
    )
    by = "by the share of queries with the image in the top 5"
    assert verdict("builtin", "siglip", HIT_RATE, ALIKE, 1.0) == (
        f"cannot tell siglip and builtin apart {by}: "
        "+0.01 [-0.03, 0.05], n = 240; a difference of 0.06 would have shown with 80 % power"
    )
    assert verdict("siglip", "builtin", MRR, BETTER, 0.08) == (
        "cannot tell siglip and builtin apart by the mean reciprocal rank of the image: "
        "+0.31 [0.26, 0.36], n = 240; p = 0.08 after Holm's correction for all comparisons of these labels"
    )
    hopeless = ALIKE._replace(detectable=None, n_clusters=7)
    assert verdict("builtin", "siglip", HIT_RATE, hopeless, 1.0) == (
        f"cannot tell siglip and builtin apart {by}: "
        "+0.01 [-0.03, 0.05], n = 240; no difference would have shown with so few independent queries (7)"
    )
    few = Comparison(0.5, None, None, 0.5, None, 6, 3)
    assert verdict("siglip", "builtin", HIT_RATE, few, 0.5) == (
        f"cannot tell siglip and builtin apart {by}: "
        "+0.50, n = 6; too few independent queries (3) for an interval"
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
    table = compare_systems(models, [HIT_RATE, MRR], HIT_RATE, Resampling(2000, 1))
    assert table["t"] == {"summary": [ONE_SYSTEM]}
    assert list(table["s"]) == ["summary", "a - b", "a - c", "b - c"]
    assert len(table["s"]["summary"]) == 3
    alone = compare(first, second, clusters, resamples=2000, seed=1)
    for one, name in zip(alone, ("hit_rate@5", "mrr"), strict=True):
        figures = table["s"]["a - b"][name]
        assert (figures["difference"], figures["p_value"]) == (one.difference, one.p_value)
    fewer = results(second[1:], clusters[1:])
    with pytest.raises(ValueError, match="expected all systems on the same queries"):
        compare_systems({("a", "s"): a, ("b", "s"): fewer}, [MRR], MRR, Resampling(9, 1))


def test_the_headline_of_a_source_is_one_family() -> None:
    """Another source or measure makes no claim harder, and only what is claimed is corrected."""
    first, second, clusters = two_models(4)
    a, b = (results(values, clusters) for values in (first, second))
    of_s = {("a", "s"): a, ("b", "s"): b, ("c", "s"): a}
    alone = compare_systems(of_s, [HIT_RATE], HIT_RATE, Resampling(2000, 1))["s"]
    among = compare_systems(
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


def test_one_against_nothing_is_claimed_in_a_large_family() -> None:
    """1.00 against 0.00 on 200 queries, among 528 pairs of models: 10,000 flips could never reject there."""
    best, worst = np.ones((200, 2)), np.stack([np.zeros(200), np.full(200, 0.01)], axis=1)
    models = {(f"m{i:02}", "s"): results(best if i else worst, np.arange(200)) for i in range(33)}
    table = compare_systems(models, [HIT_RATE], HIT_RATE, Resampling(2000, 1))["s"]
    told = dict(zip((name for name in table if " - " in name), table["summary"], strict=True))
    assert table["m00 - m01"]["hit_rate@5"]["p_holm"] == pytest.approx(528 / 105_601)
    assert told["m00 - m01"].startswith("m01 finds the image in the top 5 more often than m00: +1.00")
    assert told["m01 - m02"].startswith("cannot tell m01 and m02 apart")


def test_blocks_of_pairs_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second, clusters = two_models(4)
    models = {
        (f"m{i}", "s"): results(values, clusters)
        for i, values in enumerate((first, second, first[::-1], second[::-1]))
    }
    expected = compare_systems(models, [HIT_RATE, MRR], MRR, Resampling(2000, 1))
    monkeypatch.setattr(outputs, "PAIR_VALUES", 1)
    assert compare_systems(models, [HIT_RATE, MRR], MRR, Resampling(2000, 1)) == expected
    turned = compare_systems(dict(reversed(models.items())), [MRR, HIT_RATE], MRR, Resampling(2000, 1))["s"]
    for name, row in expected["s"].items():
        if " - " in name:
            assert turned[" - ".join(reversed(name.split(" - ")))]["mrr"]["p_holm"] == row["mrr"]["p_holm"]


def test_circular_pairs_take_part_in_no_comparison() -> None:
    first, second, clusters = two_models(4)
    a, b = (results(values, clusters) for values in (first, second))
    models = {("a", "s"): a, ("b", "s"): b, ("c", "s"): a, ("c", "t"): a, ("b", "t"): b}
    table = compare_systems(models, [MRR], MRR, Resampling(2000, 1), {("c", "s"), ("c", "t")})
    assert list(table["s"]) == ["summary", "a - b"]
    assert table["t"] == {"summary": [NONE_TESTED]}
    without = {key: one for key, one in models.items() if key[0] != "c"}
    assert compare_systems(without, [MRR], MRR, Resampling(2000, 1))["s"] == table["s"]


def test_the_verdict_does_not_depend_on_who_is_first() -> None:
    for found in (BETTER, ALIKE):
        swapped = found._replace(difference=-found[0], low=-(found[2] or 0), high=-(found[1] or 0))
        assert verdict("a", "b", MRR, found, 0.01) == verdict("b", "a", MRR, swapped, 0.01)
