"""The leaderboard: what systems cost, who is on the front, and what a machine adds."""

from typing import Any

import pytest

from text2image.encoders.throughput import QueryTime, Speed
from text2image.evaluation.leaderboard import COLUMNS, Cost, add_times, cost_of, leaderboard
from text2image.evaluation.measures import Measure

HIT_RATE = Measure("hit_rate", 5)
CARDS: dict[str, dict[str, Any]] = {
    "square": {
        "input": {"image_size": [224, 224], "resize": "squash", "context_length": 64},
        "views": ["whole"],
        "combine": "max",
    },
    "wide": {
        "input": {"image_size": [384, 512], "resize": "squash", "context_length": 77},
        "views": ["whole", "tiles"],
        "combine": "mean",
    },
}


def better(first: str, second: str, difference: float = 0.3) -> dict[str, Any]:
    """A pair of comparison.json: a difference that is claimed."""
    figures = {"difference": difference, "low": difference - 0.1, "high": difference + 0.1, "p_holm": 0.001}
    return {f"{first} - {second}": {str(HIT_RATE): figures}}


def row(mrr: float, *, circular: bool = False) -> dict[str, Any]:
    ends = {f"{name}{end}": mrr for name in ("mrr", "hit_rate@5") for end in ("", "_low", "_high")}
    return {"n_queries": 3, "n_images": 9, "circular": circular, "chance": {"mrr": 0.1}, **ends}


def test_what_a_system_costs() -> None:
    size = {"parameters": 10, "dimension": 4, "bytes_per_image": 16}
    alone = {"kind": "vision", "models": ["square"], "fields": [], "size": size}
    assert cost_of(alone, CARDS) == Cost("vision", 10, 4, 16, "0", "224", "squash", "whole", "64")
    both = alone | {"kind": "fusion", "models": ["square", "wide"]}
    assert cost_of(both, CARDS)[5:] == ("224 + 384 × 512", "squash", "whole + whole, tiles (mean)", "64 + 77")
    words = {"kind": "words", "models": [], "fields": ["ocr"], "size": {"parameters": 0, "dimension": 0}}
    assert cost_of(words, {}) == Cost("words", 0, 0, "", "0")
    assert cost_of(words, {}, None).usd_per_1000_queries == "", "not known"
    older = alone | {"size": {"weight_bytes": 5}}
    assert cost_of(older, {"square": {"name": "x"}}) == Cost("vision", usd_per_1000_queries="0")


def test_a_row_for_each_source_and_system() -> None:
    figures = {"small": {"s": row(0.5)}, "large": {"s": row(0.4)}, "strange": {"s": row(0.6)}}
    costs = {"small": Cost("vision", 10, 2, 8, "0", "224"), "large": Cost("vision", 20, 4), "strange": Cost()}
    board = leaderboard(figures, costs, {"s": better("strange", "small")}, HIT_RATE)
    assert tuple(board.columns) == COLUMNS
    assert board["on_front"].tolist() == [1, 0, 1], "what has no known size costs more than any other"
    assert board.iloc[0].tolist() == [
        "small", "s", 3, 9, 5, *["0.500000"] * 6, "0.100000", "vision", 10, 2, 8, "0", "224", *["", "", ""], 0, 1,
    ]  # fmt: skip
    assert board.iloc[2][["parameters", "dimension"]].tolist() == ["", ""]
    few = figures | {"large": {"s": row(0.4) | {"mrr_low": None, "mrr_high": None}}}
    ends = leaderboard(few, costs, {"s": {}}, HIT_RATE)[["mrr_low", "mrr_high"]]
    assert ends.iloc[0].tolist() == ["0.500000"] * 2, "of six decimals beside one without an interval, too"
    untold = leaderboard(figures, costs, {"s": {"summary": []}}, HIT_RATE)
    assert untold["on_front"].tolist() == [1, 0, 0], "the best mean alone is no reason to pay more"


def test_money_is_a_cost() -> None:
    figures = {"base": {"s": row(0.5)}, "judged": {"s": row(0.6)}, "self": {"s": row(1.0, circular=True)}}
    costs = {
        "base": Cost("vision", 10, usd_per_1000_queries="0"),
        "judged": Cost("rerank", 10, usd_per_1000_queries="3"),
        "self": Cost("vision", 1, usd_per_1000_queries="0"),
    }
    assert leaderboard(figures, costs, {"s": {}}, HIT_RATE)["on_front"].tolist() == [1, 0, 0]
    claimed = {"s": better("judged", "base")}
    assert leaderboard(figures, costs, claimed, HIT_RATE)["on_front"].tolist() == [1, 1, 0]


MADE_OF = {"builtin": ["builtin"], "words": ["ocr"], "both": ["builtin", "ocr"]}


def board(source: str = "s", **columns: str) -> list[dict[str, str]]:
    return [
        {"system": system, "source": source, "k": "5", "circular": "0", "usd_per_1000_queries": "0"} | columns
        for system in MADE_OF
    ]


def test_times_are_those_of_all_parts() -> None:
    speeds = [
        Speed("builtin", "images", "cpu", "50", "40", "60"),
        Speed("builtin", "texts", "cpu", "800", "700", "900"),
        Speed("ocr", "images", "cpu", "4", "3", "5"),
    ]
    queries = [
        QueryTime("builtin", "9", "cpu", "2", "3", "400"),
        QueryTime("words", "9", "cpu", "1", "2", "300"),
        QueryTime("both", "9", "cpu", "3", "5", "700"),
    ]
    claimed = better("both", "words") | better("both", "builtin") | better("words", "builtin")
    extended = add_times(board(), MADE_OF, {"s": claimed}, speeds, queries)
    seconds = [one["prepare_seconds_per_1000"] for one in extended]
    assert seconds == ["20", "250", "270"]
    assert [one["query_ms"] for one in extended] == ["2", "1", "3"]
    assert [one["query_ms_million"] for one in extended] == ["400", "300", "700"]
    assert {one["device"] for one in extended} == {"cpu"}
    assert [one["on_speed_front"] for one in extended] == ["1", "1", "1"], (
        "words take longer to prepare and less to ask; both are better than what is faster"
    )
    alike = add_times(board(), MADE_OF, {"s": {}}, speeds, queries)
    assert [one["on_speed_front"] for one in alike] == ["1", "1", "0"]


@pytest.mark.parametrize("source", ["s", "t"])
def test_what_was_not_measured_is_not_known(source: str) -> None:
    speeds = [Speed("builtin", "images", "cpu", "50", "40", "60")]
    builtin, words, both = add_times(board(source), MADE_OF, {}, speeds, [])
    assert builtin["prepare_seconds_per_1000"] == "20"
    assert (words["prepare_seconds_per_1000"], both["prepare_seconds_per_1000"]) == ("", "")
    assert (words["device"], both["device"], words["query_ms"]) == ("", "cpu", "")
    assert builtin["on_speed_front"] == "1"
