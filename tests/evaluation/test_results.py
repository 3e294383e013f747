"""Results by hand: from a table of ranks to a row a query, and back to files."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from text2image.base.console import InputError
from text2image.evaluation.curves import chart_tables, interval_table, margins
from text2image.evaluation.leaderboard import Cost
from text2image.evaluation.measures import reported
from text2image.evaluation.outputs import NONE_TESTED, ONE_SYSTEM, make_outputs
from text2image.evaluation.results import (
    RANK_COLUMNS,
    Results,
    decimals,
    make_results,
    read_ranks,
    refuse_leaks,
    write_results,
    write_table,
)
from text2image.evaluation.summary import Resampling, summarise, training_data
from text2image.formats.tables import read_csv, write_csv
from text2image.queries.asked import EXCLUDED
from text2image.queries.split import SplitRow
from text2image.retrieval.runs import RankRow

RANKS = [
    ("q2", "=nan", "a", 2, 3, "0.500000"), ("q2", "=nan", "b", 0, 1, "0.900000"), ("q2", "=nan", "c", 3, 2, "0.700000"),
    ("q1", "NA", "b", 1, 1, "0.800000"), ("q1", "NA", "c", 0, 2, "0.100000"),
    ("q3", "<i>", "d", 2, 1, "0.250000"),
]  # fmt: skip
GROUPS = {"a": 0, "b": 1, "c": 1, "d": 2}


@pytest.fixture
def results(tmp_path: Path) -> Results:
    write_csv(tmp_path / "ranks.csv", RANK_COLUMNS, RANKS)
    return make_results(read_ranks(tmp_path / "ranks.csv"), GROUPS, 4)


def test_the_columns_are_those_that_retrieve_writes() -> None:
    assert RankRow._fields == RANK_COLUMNS


def test_a_row_a_query_by_hand(results: Results, tmp_path: Path) -> None:
    """q2 and q1 share a group; q3 has no irrelevant image in its table."""
    write_results(tmp_path / "results.csv", results)
    table = read_csv(tmp_path / "results.csv", ["query_id"])
    assert list(table[0]) == [
        "query_id", "text", "n_relevant", "best_rank", "best_relevant", "best_irrelevant", "cluster", "reciprocal_rank",
    ]  # fmt: skip
    assert [list(row.values()) for row in table] == [
        ["q2", "=nan", "2", "2", "0.7", "0.9", "0", "0.5"],
        ["q1", "NA", "1", "1", "0.8", "0.1", "0", "1"],
        ["q3", "<i>", "1", "1", "0.25", "", "1", "1"],
    ]
    assert results.queries["best_image"].tolist() == ["c", "b", "d"]
    assert results.ranked.ranks.tolist() == [3, 2, 1, 1]
    assert results.ranked.relevance.tolist() == [2, 3, 1, 2]


def test_charts_have_a_series_a_model_and_source(results: Results) -> None:
    how = Resampling(2000, 1)
    tables = chart_tables({("m", "s"): results, ("n", "s"): results}, how, label=" (train)")
    assert tables.keys() == {"hit_rate", "reciprocal_ranks", "ranks", "margins"}
    assert {table.columns[0] for table in tables.values()} == {"series"}
    assert tables["hit_rate"]["series"].unique().tolist() == ["m · s (train)", "n · s (train)"]
    assert tables["hit_rate"].iloc[0].tolist()[1:3] == [1, "0.666667"]
    assert tables["margins"].iloc[0].tolist() == ["m · s (train)", "=nan", 0.7, 0.9]
    figures = {"m": {"s": {"circular": False} | summarise(results.ranked, reported([1]), how)}}
    intervals = interval_table(figures, [1])
    assert intervals["measure"].tolist() == ["mrr", "hit_rate@1"]
    assert intervals["value"].tolist() == ["0.833333", "0.666667"]


def test_texts_in_charts_cannot_end_a_script() -> None:
    text = "a</script><img src=x onerror=alert(1)>"
    queries = pd.DataFrame(
        {"text": [text] * 2, "best_relevant": [0.5, 0.5], "best_irrelevant": [0.4, np.nan]}
    )
    table = margins(queries)
    assert table.columns.tolist() == ["text", "relevant", "irrelevant"]
    assert ["<" in text for text in table["text"]] == [False], (
        "and a query without an irrelevant image is no point"
    )


def test_what_a_model_has_seen_is_refused(tmp_path: Path) -> None:
    write_csv(tmp_path / "ranks.csv", RANK_COLUMNS, RANKS)
    ranks = read_ranks(tmp_path / "ranks.csv")
    test = [
        SplitRow("test", "a", "q2", "x", 2),
        SplitRow("train", "z", "q9", "y", 2),
        SplitRow("train", "y", "", "", 0),
    ]
    refuse_leaks(ranks, "m", test, "test")
    for row in (SplitRow("train", "z", "q1", "NA", 2), SplitRow("validation", "c", "", "", 0)):
        with pytest.raises(InputError, match=r"expected data/ranks/m .* found [12] queries of other parts"):
            refuse_leaks(ranks, "m", [*test, row], "test")


def test_what_is_excluded_is_said() -> None:
    left_out = [{"reason": EXCLUDED}, {"reason": "too generic to search for"}, {"reason": EXCLUDED}]
    assert training_data([], "test", {"s": left_out}, 0) == {"s": {}}
    said = training_data(["r"], "test", {"s": left_out}, 3)["s"]
    assert (said["part"], said["excluded"]["n_queries"], said["excluded"]["n_images"]) == ("test", 2, 3)
    assert said["excluded"]["why"].startswith("the train and validation parts of what r learned from")


def test_all_outputs_are_of_one_table(results: Results) -> None:
    excluded = {"s": {"part": "train"}}
    metrics, comparison, tables, sentences = make_outputs(
        {("m", "s"): results}, [1], Resampling(2000, 1), {"m": Cost()}, excluded, {}, " (train)"
    )
    figures = metrics["m"]["s"]
    assert list(figures)[:3] == ["part", "circular", "n_queries"]
    assert figures["circular"] is False
    assert figures["mrr"] == pytest.approx(5 / 6)
    assert tables["leaderboard"].iloc[0][["mrr", "k", "on_front"]].tolist() == ["0.833333", 1, 1]
    assert tables.keys() == {
        *chart_tables({("m", "s"): results}, Resampling(2000, 1)),
        "intervals",
        "leaderboard",
    }
    assert comparison == {"s": {"summary": [ONE_SYSTEM]}}
    assert sentences[0].startswith("m s (train): MRR 0.833 (chance 0.")
    assert sentences[1] == f"s (train): {ONE_SYSTEM}"


def test_a_circular_pair_is_measured_and_marked_and_nothing_is_claimed_of_it(results: Results) -> None:
    """The best of three, and the smallest, and yet neither compared nor on the front nor in a sentence."""
    worse = results._replace(ranked=results.ranked._replace(ranks=results.ranked.ranks + 1))
    all_results = {("self", "s"): results, ("a", "s"): worse, ("b", "s"): worse}
    costs = {"self": Cost("vision", 1), "a": Cost("vision"), "b": Cost("vision", 9)}
    why = {("self", "s"): "labels and system share resnet"}
    metrics, comparison, tables, sentences = make_outputs(
        all_results, [1], Resampling(2000, 1), costs, {"s": {}}, why
    )
    assert {system: list(sources) for system, sources in metrics.items()} == {
        "self": ["s"],
        "a": ["s"],
        "b": ["s"],
    }, "{SYSTEM: {SOURCE: figures}}"
    figures = metrics["self"]["s"]
    assert figures["mrr"] == pytest.approx(5 / 6)
    assert (figures["circular"], figures["why_circular"]) == (True, "labels and system share resnet")
    assert comparison["s"].keys() == {"summary", "a - b"}
    front = tables["leaderboard"].set_index("system")[["circular", "on_front"]]
    assert front.loc["self"].tolist() == [1, 0]
    assert front.loc["b"].tolist() == [0, 1], "what is no test dominates nobody"
    assert tables["hit_rate"]["series"].unique().tolist() == ["self (circular) · s", "a · s", "b · s"]
    assert tables["intervals"]["system"].unique().tolist() == ["self (circular)", "a", "b"]
    assert sentences[0] == "self s: circular, so its score says nothing: labels and system share resnet"
    assert not any("0.833" in sentence for sentence in sentences)
    alone = make_outputs({("self", "s"): results}, [1], Resampling(2000, 1), costs, {"s": {}}, why)
    assert alone[1] == {"s": {"summary": [NONE_TESTED]}}


def test_tables_keep_whole_numbers_and_leave_gaps_empty(tmp_path: Path) -> None:
    table = pd.DataFrame({"name": ["x", "y"], "n": [1, 2], "share": [1 / 3, np.nan]})
    write_table(tmp_path / "t.csv", decimals(table, 4))
    assert (tmp_path / "t.csv").read_text() == "name,n,share\nx,1,0.3333\ny,2,\n"
