"""What is asked of a source and what is left out, and what fine-tuned models have seen."""

from pathlib import Path

import pytest

from text2image.base.console import InputError
from text2image.formats.tables import write_csv
from text2image.formats.texts import query_id
from text2image.queries.asked import (
    EXCLUDED,
    Asked,
    ExcludedRow,
    LeftOutSource,
    ask,
    check_some_asked,
    exclude,
    excluded_rows,
    grades_of,
    join_sources,
    why_left_out,
)
from text2image.queries.judgements import JudgementRow
from text2image.queries.query import make_queries, read_label_queries
from text2image.queries.relevance import GENERIC, LeftOut
from text2image.queries.settings import Cosine, Queries
from text2image.queries.split import SplitRow

GROUPS = {"a": 0, "b": 0, "c": 1}
SHOE, HAT = query_id("shoe"), query_id("hat")


def settings(relevance: str = "near_duplicates") -> Queries:
    return Queries.model_validate(
        {
            "cosine": Cosine(model=None, threshold=0.9),
            "relevance": relevance,
            "max_relevant_share": 1.0,
            "generic_words": ["photo"],
        }
    )


def asked(labels: list[tuple[str, str]], relevance: str = "near_duplicates") -> Asked:
    return ask("human", make_queries(labels), [], GROUPS, settings(relevance))


def test_the_settings_decide_what_counts_as_relevant(tmp_path: Path) -> None:
    write_csv(tmp_path / "labels.csv", ("image_id", "text"), [("a", "shoe"), ("c", "photo")])
    queries = read_label_queries(tmp_path / "labels.csv")
    rows = [JudgementRow("human", "shoe", "c", 3, "Ann", ""), JudgementRow("ocr", "shoe", "a", 0, "Ann", "")]
    near = ask("human", queries, rows, GROUPS, settings())
    assert near.relevance == {SHOE: {"a": 2, "b": 2, "c": 3}}
    assert near.left_out == [LeftOut(query_id("photo"), "photo", GENERIC)]
    assert ask("human", queries, rows, GROUPS, settings("strict")).relevance == {SHOE: {"a": 2, "c": 3}}


def test_people_override_models() -> None:
    rows = [
        JudgementRow("human", "shoe", "a", 0, "Ann", ""),
        JudgementRow("human", "Shoe", "a", 3, "model:m", ""),
    ]
    assert grades_of("human", rows) == {SHOE: {"a": 0}}


def test_of_a_split_all_parts_but_one_are_excluded() -> None:
    split = [
        SplitRow("test", "c", "q2", "hat", 2),
        SplitRow("train", "a", "q1", "shoe", 2),
        SplitRow("validation", "b", "", "", 0),
    ]
    rows = excluded_rows("run", split, "test")
    assert rows == [
        ExcludedRow("image", "a", "run", "train"),
        ExcludedRow("image", "b", "run", "validation"),
        ExcludedRow("query", "q1", "run", "train"),
    ]


def test_what_is_excluded_is_neither_asked_nor_relevant() -> None:
    qrels = {"seen": {"a": 2}, "half": {"a": 2, "b": 1}, "gone": {"a": 2}}
    before = Asked([], qrels, [])
    assert exclude(before, {"a"}, {"seen"}).relevance == {"half": {"b": 1}}
    assert exclude(before, (), ()) == before


def test_excluded_queries_are_listed_with_their_reason() -> None:
    before = asked([("a", "shoe"), ("c", "hat"), ("c", "photo")])
    after = exclude(before, {"a"}, {HAT})
    assert after.relevance == {SHOE: {"b": 2}}
    assert after.left_out == [*before.left_out, LeftOut(HAT, "hat", EXCLUDED)]
    assert why_left_out(after, {}) == ""
    assert why_left_out(exclude(before, set("abc"), set()), {}) == (
        f"all 3 queries are left out (2: {EXCLUDED}; 1: {GENERIC})"
    )


def test_a_source_without_labels_says_why() -> None:
    reasons = {"too blurred": 1, "too small": 1200, "empty": 30, "broken": 2, "other": 1}
    assert why_left_out(asked([]), reasons) == (
        "no image has a label (1,200: too small; 30: empty; 2: broken; 2: other reasons)"
    )
    assert why_left_out(asked([]), {}) == "no image has a label (it gave none)"


def test_no_source_at_all_is_an_error() -> None:
    rows = [LeftOutSource("ocr", "no image has a label (4: no text found)")]
    check_some_asked(rows, ["human", "ocr"])
    with pytest.raises(
        InputError, match=r"query from ocr \(params key label.sources\), found none: ocr: no image"
    ):
        check_some_asked(rows, ["ocr"])


def test_sources_join_with_the_best_grade_and_the_first_spelling() -> None:
    first, second = asked([("c", "Shoe")]), asked([("a", "shoe"), ("c", "hat")])
    second.relevance[SHOE]["c"] = 3
    relevance, texts = join_sources([first, second])
    assert relevance == {SHOE: {"a": 2, "b": 2, "c": 3}, HAT: {"c": 2}}
    assert texts == {SHOE: "Shoe", HAT: "hat"}
