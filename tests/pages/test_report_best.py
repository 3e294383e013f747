"""What a report says first: the best system of each source, by what can be claimed, and what it costs."""

from itertools import combinations

from tests.pages.test_report import revision, said
from text2image.encoders.throughput import QueryTime, Speed
from text2image.evaluation.leaderboard import COLUMNS
from text2image.formats.tables import Row
from text2image.pages.report.best import best_sentences
from text2image.pages.report.blocks import Sentences
from text2image.pages.report.conclusions import conclusions
from text2image.pages.report.costs import cheapest, cost_table, made_of
from text2image.pages.report.revisions import Revision


def board(*systems: tuple[str, str, str], source: str = "s") -> list[Row]:
    """Rows of the leaderboard: system, parameters and whether it is on the front."""
    empty = dict.fromkeys(COLUMNS, "")
    return [
        empty
        | {
            "system": name,
            "source": source,
            "k": "5",
            "n_images": "50",
            "kind": "vision",
            "parameters": parameters,
        }
        | {"circular": "0", "on_front": front, "usd_per_1000_queries": "0", "bytes_per_image": "8"}
        for name, parameters, front in systems
    ]


def contest(**rates: float) -> Revision:
    """Systems and their hit rates; of two, the one that is 0.2 better is claimed to be."""
    one = revision("new", {})
    one.metrics = {
        name: {
            "s": {"n_queries": 240, "n_images": 50, "chance": {"hit_rate@5": 0.1}, "hit_rate@5": rate}
            | {"hit_rate@5_low": rate - 0.05, "hit_rate@5_high": rate + 0.04}
        }
        for name, rate in rates.items()
    }
    one.comparison = {
        "s": {
            f"{a} - {b}": {
                "hit_rate@5": {"difference": x - y, "low": x - y - 0.1, "high": x - y + 0.1}
                | {"p_holm": 0.001 if abs(x - y) >= 0.2 else 0.6}
            }
            for (a, x), (b, y) in combinations(rates.items(), 2)
        }
    }
    one.params["retrieve"] = {"systems": list(rates), "fields": ["ocr"]}
    one.params["systems"] = {
        "words": {"kind": "words", "fields": ["ocr"]},
        "both": {"kind": "fusion", "of": ["builtin", "words"]},
    }
    one.leaderboard = board(("words", "0", "1"), ("builtin", "29532969", "0"), ("both", "29532969", "0"))
    one.speeds = [
        Speed("ocr", "images", "cpu", "5", "4", "6"), Speed("builtin", "images", "cpu", "50", "40", "60"),
    ]  # fmt: skip
    return one


def test_the_first_sentence_names_what_cannot_be_told_apart_and_the_cheapest_of_it() -> None:
    [sentence] = best_sentences(contest(both=0.88, words=0.85, builtin=0.05))
    assert sentence == (
        "On s labels, both shows a right image among the first 5 for 88\xa0% [83, 92] of 240 queries, words for 85\xa0% "
        "[80, 89], builtin for 5\xa0% [0, 9]; both and words cannot be told apart; that fusing adds to words is not shown; "
        "of these words costs least, by size and money: 0.2 s to read (ocr) an image, once"
    )


def test_a_winner_is_named_with_what_it_costs_against_the_next() -> None:
    [sentence] = best_sentences(contest(both=0.88, words=0.5, builtin=0.05))
    assert "; both is better than every other, beyond luck; fusing adds to words; " in sentence
    assert sentence.endswith(
        "; both costs 0.02 s to embed (builtin) and 0.2 s to read (ocr) an image, once; "
        "words costs 0.2 s to read (ocr) an image, once"
    )
    [worse] = best_sentences(contest(words=0.88, both=0.5, builtin=0.05))
    assert "fusing takes from words" in worse
    several = contest(three=0.9, both=0.65, words=0.4)
    several.params["systems"]["three"] = {"kind": "fusion", "of": ["both", "words"]}
    assert "; fusing as three adds to both; fusing as both adds to words; " in next(best_sentences(several))
    [two] = best_sentences(contest(words=0.88, builtin=0.05))
    assert "; words is better than builtin, beyond luck; words costs" in two


def test_there_is_no_first_sentence_where_nothing_can_be_compared() -> None:
    assert list(best_sentences(contest(words=0.5))) == []
    circular = contest(words=0.5, builtin=0.4)
    circular.metrics["words"]["s"]["circular"] = True
    assert list(best_sentences(circular)) == []
    earlier = contest(words=0.5, builtin=0.4)
    earlier.comparison = {"s": {"words - builtin": {"hit_rate@5": {"difference": 0.1}}}}
    assert list(best_sentences(earlier)) == [], "of a version without p_holm"
    earlier.comparison = {}
    assert list(best_sentences(earlier)) == []


def test_the_first_sentence_heads_the_conclusions_of_one_revision() -> None:
    first = conclusions([contest(both=0.88, words=0.85, builtin=0.05)])[0]
    assert isinstance(first, Sentences)
    assert first.heading == "What finds the right image, and what it costs"


def test_what_systems_cost_has_the_times_of_this_machine_if_they_are_known() -> None:
    one = contest(both=0.88, words=0.85, builtin=0.05)
    one.query_times = [QueryTime("words", "50", "cpu", "1.5", "2.5", "900")]
    costs, sees = cost_table(one)
    assert costs.columns[-1] == "worth its cost on"
    assert [list(row) for row in costs.rows] == [
        ["words", "0", "unknown", "200", "1.5 [2.5]", "900", "0", "0.00 MB", "0.01 GB", "s"],
        ["builtin", "29.5 M", "unknown", "20.0", "unknown", "unknown", "0", "0.00 MB", "0.01 GB", "–"],
        ["both", "29.5 M", "unknown", "220", "unknown", "unknown", "0", "0.00 MB", "0.01 GB", "–"],
    ]
    assert [row[:2] for row in sees.rows] == [("words", "vision"), ("builtin", "vision"), ("both", "vision")]
    one.leaderboard += board(("words", "0", "1"), source="t")
    assert cost_table(one)[0].rows[0][-1] == "s", (
        "where nothing is cheaper or better, nothing is worth its cost"
    )
    one.leaderboard = []
    assert cost_table(one) == []
    one.speeds = []
    assert "words costs least" not in said(one)
    assert "both costs that each image is embedded (builtin) and read (ocr), once" in said(one)


def test_the_cheapest_is_named_only_if_it_is_so_in_every_respect() -> None:
    one = contest(words=0.5, builtin=0.4)
    one.leaderboard = board(("words", "0", "1"), ("builtin", "9", "0"))
    assert cheapest(one, ["builtin", "words"]) == "words"
    one.leaderboard[0]["usd_per_1000_queries"] = "3"
    assert cheapest(one, ["builtin", "words"]) == ""
    assert cheapest(one, ["builtin", "gone"]) == ""
    one.leaderboard = board(("words", "9", "1"), ("builtin", "9", "0"))
    assert cheapest(one, ["builtin", "words"]) == "", "they cost the same"


def test_what_images_are_prepared_for_follows_from_the_parameters() -> None:
    one = contest(words=0.5, builtin=0.4)
    assert made_of(one, "builtin") == ["builtin"]
    assert made_of(one, "both") == ["builtin", "ocr"]
    one.params["systems"] |= {
        "tiled": {"kind": "vision", "model": "large"},
        "judged": {"kind": "rerank", "of": "both"},
        "loop": {"kind": "rerank", "of": "loop"},
    }
    assert made_of(one, "tiled") == ["large"]
    assert made_of(one, "judged") == ["builtin", "ocr"]
    assert made_of(one, "loop") == ["loop"], "another revision may hold anything"
