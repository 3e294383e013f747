"""Do two sources order systems alike? By hand, by simulation, and where there is little to go by."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kendalltau

from text2image.evaluation.query_sets import judge_sources
from text2image.evaluation.ranked import RankedQueries
from text2image.evaluation.results import AllResults, Results
from text2image.evaluation.statistics.correlation import (
    order_of,
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
        "n_systems": 3,
        "tau": 1.0,
        "tau_low": 1.0,
        "tau_high": 1.0,
        "summary": "a and b order the 3 systems alike: Kendall's tau 1.00 [1.00, 1.00]",
    }
    assert told["a ~ c"]["summary"] == (
        "a and c order the 3 systems in opposite ways: Kendall's tau -1.00 [-1.00, -1.00]; the best is m0 by a and m2 by c"
    )


def truth_and_interval(
    generator: np.random.Generator, n_clusters: int, n_systems: int
) -> tuple[float, float, float]:
    """Draw two sources' true orders, the same or another or nearly the same, and ranks by them; systems share luck."""
    first = generator.uniform(0.1, 0.6, n_systems)
    kinds = [
        first,
        generator.permutation(first),
        np.clip(first + generator.normal(0, 0.05, n_systems), 0.05, 0.9),
    ]
    chances = {"a": first, "b": kinds[generator.integers(3)]}
    orders = []
    for name, chance in chances.items():
        luck = 0.7 * generator.random((n_clusters, 1)) + 0.3 * generator.random((n_clusters, n_systems))
        ranks = np.ceil(np.log(luck) / np.log(1 - chance)).clip(1, 100).astype(np.int64)
        systems = {f"m{i}": result(row) for i, row in enumerate(ranks.T)}
        orders.append(order_of(name, systems, list(systems), Resampling(300, int(generator.integers(9999)))))
    return kendalltau(*chances.values()).statistic, *tau_interval(*orders)


@pytest.mark.parametrize(("n_clusters", "n_systems"), [(5, 3), (10, 5), (30, 5), (100, 3)])
def test_the_interval_holds_the_true_tau(n_clusters: int, n_systems: int) -> None:
    """Percentiles of resampled taus hold it in 0.67 of repetitions for 10 clusters and 5 systems."""
    generator = np.random.default_rng(6)
    drawn = np.array([truth_and_interval(generator, n_clusters, n_systems) for _ in range(100)])
    truth, low, high = drawn.T
    assert np.mean((low - 1e-9 <= truth) & (truth <= high + 1e-9)) >= 0.95
    assert np.all(truth[low > 0] > 0), "and what is called alike is"
    if n_clusters == 100:
        assert np.mean((low > 0) | (high < 0)) > 0.5, "and most is told"


def test_a_difference_is_sure_where_it_is_larger_than_its_noise() -> None:
    generator = np.random.default_rng(2)
    systems = {f"m{i}": one for i, one in enumerate(source(generator, [3, 4, 80], 60))}
    order = order_of("a", systems, list(systems), HOW)
    assert order.signs.tolist() == [0, 1, 1], "the first two are too close"
    assert order.values == pytest.approx([(1 / one.ranked.ranks).mean() for one in systems.values()])
    constant = {"m0": result(np.full(60, 1)), "m1": result(np.full(60, 2))}
    assert order_of("a", constant, ["m0", "m1"], HOW).signs.tolist() == [1], "60 of 60 say the same"
    few = {name: result(one.ranked.ranks[:5]) for name, one in constant.items()}
    assert order_of("a", few, ["m0", "m1"], HOW).signs.tolist() == [0], "5 of 5 could be luck"
    told = rank_correlations(results(a=list(systems.values()), b=source(generator, [3, 4, 80])), HOW)["a ~ b"]
    assert (told["tau_low"], told["tau_high"]) == (pytest.approx(1 / 3), 1.0)


def test_the_best_are_named_where_each_source_is_sure_of_its_own() -> None:
    """The two best are too close in both; what surely differs are the orders of the others."""
    close, far = np.array([1, 2] * 30), np.full(60, 9)
    first, second = result(close), result(np.where(np.arange(60) == 0, 3, close))
    others = result(far), result(far * 9)
    told = rank_correlations(results(a=[first, second, *others], b=[second, first, *others[::-1]]), HOW)
    assert told["a ~ b"]["tau_high"] < 1.0
    assert "the best is" not in told["a ~ b"]["summary"]


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
    assert (told["n_systems"], told["tau"], told["tau_low"], told["tau_high"]) == (2, 1.0, -1.0, 1.0)
    assert (
        told["summary"]
        == "whether a and b order the 2 systems alike cannot be told: Kendall's tau 1.00 [-1.00, 1.00]"
    )
    tied = [result(np.full(60, 9))] * 2
    told = rank_correlations(results(a=tied, b=source(generator, [2, 90])), HOW)["a ~ b"]
    assert told["tau"] is None
    assert "all systems are equal on one of them" in told["summary"]
    noise = results(a=source(generator, [40, 44]), b=source(generator, [44, 40]))
    assert rank_correlations(noise, HOW)["a ~ b"]["summary"].endswith("[-1.00, 1.00]"), (
        "and no winner is named"
    )
    assert rank_correlations(results(a=source(generator, [2]), b=source(generator, [2])), HOW) == {}, (
        "one system"
    )


def test_circular_pairs_say_nothing_of_the_order() -> None:
    generator = np.random.default_rng(5)
    systems = results(a=source(generator, [2, 9, 60]), b=source(generator, [90, 9, 60]))
    origins = {"a": {"labels:a": "the texts of a"}, "b": {"labels:b": "the texts of b", "sha256:1": "resnet"}}
    left_out = {"a": [{"text": "click here", "reason": "too generic to search for"}], "b": []}
    figures, said = judge_sources(systems, left_out, origins, {("m0", "b")}, HOW)
    assert figures["rank_correlation"]["a ~ b"]["n_systems"] == 2
    assert figures["rank_correlation"]["a ~ b"]["tau"] == 1.0
    assert said == ["a and b order the 2 systems alike: Kendall's tau 1.00 [1.00, 1.00]"]
    assert {name: row["written_by"] for name, row in figures["sources"].items()} == {"a": [], "b": ["resnet"]}
    assert (figures["sources"]["a"]["n_queries"], figures["sources"]["a"]["n_generic"]) == (60, 1)
