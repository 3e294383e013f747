"""Figures by kind of query: by hand, and as those of the queries alone."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from text2image.evaluation.kinds import by_kind
from text2image.evaluation.leaderboard import Cost
from text2image.evaluation.measures import compared
from text2image.evaluation.outputs import make_outputs
from text2image.evaluation.results import RANK_COLUMNS, Results, make_results, write_results
from text2image.evaluation.summary import Resampling, summarise
from text2image.formats.tables import read_csv

HOW = Resampling(200, 1)
KINDS = {"q1": "product", "q2": "headline; product", "q4": "headline"}


def results_of(ranks: list[tuple[str, str, int]], kinds: dict[str, str] | None) -> Results:
    """Return results of relevant images ``(query, image, rank)``, each image a group of its own, among 10."""
    rows = [(query, query, image, 1, rank, 0.5) for query, image, rank in ranks]
    table = pd.DataFrame(rows, columns=list(RANK_COLUMNS))
    return make_results(table, {image: number for number, (_, image, _) in enumerate(ranks)}, 10, kinds)


@pytest.fixture
def results() -> Results:
    """Query 1 has two relevant images; query 3 is of no kind."""
    ranks = [("q1", "a", 4), ("q1", "b", 2), ("q2", "c", 1), ("q3", "d", 10), ("q4", "e", 5)]
    return results_of(ranks, KINDS)


def test_by_hand(results: Results) -> None:
    figures = by_kind(results, compared([1, 5]), HOW)
    assert list(figures) == ["headline", "product"]
    product, headline = figures["product"], figures["headline"]
    assert (product["n_queries"], product["mrr"], product["hit_rate@1"]) == (2, (1 / 2 + 1) / 2, 1 / 2)
    assert (headline["n_queries"], headline["mrr"], headline["hit_rate@5"]) == (2, (1 + 1 / 5) / 2, 1.0)
    assert headline["chance"]["hit_rate@1"] == pytest.approx(1 / 10)
    assert product["chance"]["hit_rate@1"] == pytest.approx((2 / 10 + 1 / 10) / 2)
    assert product["mrr_low"] is None, "two queries have no interval"


def test_a_kind_of_all_queries_is_the_whole() -> None:
    rng = np.random.default_rng(0)
    ranks = [
        (f"q{n}", f"i{n % 40}-{part}", int(rng.integers(1, 11)))
        for n in range(60)
        for part in range(n % 2 + 1)
    ]
    results = results_of(ranks, {f"q{n}": "all" for n in range(60)})
    whole = summarise(results.ranked, compared([1, 5]), HOW)
    figures = by_kind(results, compared([1, 5]), HOW)["all"]
    assert {key: value for key, value in figures.items() if key != "chance"} == {
        key: whole[key] for key in figures if key != "chance"
    }
    assert figures["mrr_low"] < figures["mrr"] < figures["mrr_high"]
    assert figures["chance"].items() <= whole["chance"].items()


def test_without_kinds_nothing_is_different(results: Results, tmp_path: Path) -> None:
    without = results._replace(queries=results.queries.assign(kind=""))
    assert by_kind(without, compared([1]), HOW) == {}
    outputs = [
        make_outputs({("m", "s"): one}, [1], HOW, {"m": Cost()}, {"s": {}}, {})[0]["m"]["s"]
        for one in (without, results)
    ]
    assert "kinds" not in outputs[0]
    assert outputs[1] == outputs[0] | {"kinds": by_kind(results, compared([1]), HOW)}
    for name, one in (("without", without), ("with", results)):
        write_results(tmp_path / f"{name}.csv", one)
    rows = [read_csv(tmp_path / f"{name}.csv", ["query_id"]) for name in ("without", "with")]
    assert "kind" not in rows[0][0]
    assert [row.pop("kind") for row in rows[1]] == ["product", "headline; product", "", "headline"]
    assert rows[0] == rows[1]
