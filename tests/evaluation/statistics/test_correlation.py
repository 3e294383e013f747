"""Do two sources order systems alike? Against scipy resample by resample, and where there is little to go by."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kendalltau

from text2image.evaluation.query_sets import judge_sources
from text2image.evaluation.ranked import RankedQueries
from text2image.evaluation.results import AllResults, Results
from text2image.evaluation.statistics.correlation import (
    orders_of,
    rank_correlations,
    tau_interval,
)
from text2image.evaluation.statistics.intervals import MIN_CLUSTERS
from text2image.evaluation.summary import Resampling

HOW = Resampling(2000, 1)


def result(best_ranks: np.ndarray, clusters: np.ndarray | None = None) -> Results:
    one = np.ones_like(best_ranks)
    clusters = np.arange(len(one)) if clusters is None else clusters
    texts = [f"a red guitar on table {n}" for n in range(len(one))]
    return Results(pd.DataFrame({"text": texts}), RankedQueries(best_ranks, one, one, 100, clusters))


def source(generator: np.random.Generator, worst: list[int], n: int = 60) -> list[Results]:
    """Systems whose ranks spread up to so much."""
    return [result(generator.integers(1, high + 1, n)) for high in worst]


def results(**sources: list[Results]) -> AllResults:
    return {(f"m{i}", name): one for name, systems in sources.items() for i, one in enumerate(systems)}


def test_sources_that_agree_and_that_do_not() -> None:
    generator = np.random.default_rng(1)
    told = rank_correlations(
        results(
            a=source(generator, [2, 9, 60]),
            b=source(generator, [3, 12, 90]),
            c=source(generator, [80, 10, 2]),
        ),
        HOW,
    )
    assert told.keys() == {"a ~ b", "a ~ c", "b ~ c"}
    assert told["a ~ b"] == {
        "n_models": 3,
        "tau": 1.0,
        "tau_low": 1.0,
        "tau_high": 1.0,
        "summary": "a and b order the 3 models alike: Kendall's tau 1.00 [1.00, 1.00]",
    }
    assert told["a ~ c"]["summary"] == (
        "a and c order the 3 models in opposite ways: Kendall's tau -1.00 [-1.00, -1.00]; the best is m0 by a and m2 by c"
    )


def test_the_interval_is_that_of_scipys_tau_in_every_resample() -> None:
    generator = np.random.default_rng(2)
    systems = results(a=source(generator, [9, 10, 11, 12], 30), b=source(generator, [10, 9, 12, 11], 30))
    orders = [
        orders_of(
            name, {m: one for (m, s), one in systems.items() if s == name}, ["m0", "m1", "m2", "m3"], HOW
        )
        for name in "ab"
    ]
    one_by_one = [kendalltau(*pair).statistic for pair in zip(*(o.resampled for o in orders), strict=True)]
    assert tau_interval(*orders) == (np.sort(one_by_one)[50], np.sort(one_by_one)[1949])
    told = rank_correlations(systems, HOW)["a ~ b"]
    expected = kendalltau(
        *([(1 / one.ranked.ranks).mean() for (_, s), one in systems.items() if s == n] for n in "ab")
    )
    assert told["tau"] == pytest.approx(expected.statistic)
    assert told["tau_low"] <= told["tau"] <= told["tau_high"]
    assert "cannot be told" in told["summary"]


def test_neither_the_order_of_queries_nor_of_systems_nor_the_labels_of_clusters_matter() -> None:
    generator = np.random.default_rng(3)
    clusters = np.sort(generator.integers(0, 20, 60))
    ranks = {name: generator.integers(1, 30, (3, 60)) for name in "ab"}
    order = generator.permutation(60)
    plain = results(**{name: [result(row, clusters) for row in rows] for name, rows in ranks.items()})
    other = results(
        **{n: [result(row[order], 99 - clusters[order]) for row in rows] for n, rows in ranks.items()}
    )
    assert (
        rank_correlations(dict(reversed(other.items())), HOW)["b ~ a"]["tau_low"]
        == (rank_correlations(plain, HOW)["a ~ b"]["tau_low"])
    )


def test_where_there_is_little_to_go_by_nothing_is_claimed() -> None:
    generator = np.random.default_rng(4)
    few = result(np.ones(60, dtype=np.int64), np.arange(60) % (MIN_CLUSTERS - 1)), result(np.full(60, 9))
    few = few[0], few[1]._replace(ranked=few[1].ranked._replace(clusters=few[0].ranked.clusters))
    told = rank_correlations(results(a=list(few), b=source(generator, [2, 90])), HOW)["a ~ b"]
    assert (told["n_models"], told["tau"], told["tau_low"], told["tau_high"]) == (2, 1.0, None, None)
    assert "cannot be told from fewer than 5 independent groups" in told["summary"]
    tied = [result(np.full(60, 9))] * 2
    told = rank_correlations(results(a=tied, b=source(generator, [2, 90])), HOW)["a ~ b"]
    assert (told["tau"], told["tau_low"]) == (None, None)
    assert "all models are equal on one of them" in told["summary"]
    assert rank_correlations(results(a=source(generator, [2]), b=source(generator, [2])), HOW) == {}, (
        "one system"
    )


def test_circular_pairs_say_nothing_of_the_order() -> None:
    generator = np.random.default_rng(5)
    systems = results(a=source(generator, [2, 9, 60]), b=source(generator, [90, 9, 60]))
    origins = {"a": {"labels:a": "the texts of a"}, "b": {"labels:b": "the texts of b", "sha256:1": "resnet"}}
    left_out = {"a": [{"text": "click here", "reason": "too generic to search for"}], "b": []}
    figures, said = judge_sources(systems, left_out, origins, {("m0", "b")}, HOW)
    assert figures["rank_correlation"]["a ~ b"]["n_models"] == 2
    assert figures["rank_correlation"]["a ~ b"]["tau"] == 1.0
    assert said == ["a and b order the 2 models alike: Kendall's tau 1.00 [1.00, 1.00]"]
    assert {name: row["written_by"] for name, row in figures["sources"].items()} == {"a": [], "b": ["resnet"]}
    assert (figures["sources"]["a"]["n_queries"], figures["sources"]["a"]["n_generic"]) == (60, 1)
