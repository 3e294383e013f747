"""How much of the results has been judged: literals."""

from pathlib import Path

import pytest

from text2image.evaluation.judged import judged_at, judgement_figures, uncounted
from text2image.formats.texts import query_id
from text2image.queries.judgements import JudgementRow, append_judgements, read_judgements


def test_judged_by_hand() -> None:
    """Two queries, three images each: of the first the first and third are judged."""
    rows = [JudgementRow("human", "a", image, 0, "Ann", "") for image in "xz"]
    run = {query: [(image, 0.5) for image in "xyz"] for query in (query_id("a"), query_id("b"))}
    (shares,) = judged_at({"m": run}, "human", rows, [1, 2, 10]).values()
    assert shares == {"judged@1": 0.5, "judged@2": 0.25, "judged@10": 1 / 3}


def test_only_judgements_of_the_source_count() -> None:
    rows = [
        JudgementRow("human", "A", "x", 0, "Ann", ""), JudgementRow("human", "a", "x", 3, "model:m", ""),
        JudgementRow("ocr", "a", "y", 3, "Ann", ""), JudgementRow("human", "b", "x", 1, "Ann", ""),
    ]  # fmt: skip
    run = {query_id("a"): [("x", 0.9), ("y", 0.8)], query_id("c"): [("x", 0.5), ("y", 0.1)]}
    expected = {"m": {"judged@1": 0.5, "judged@2": 0.25, "judged@5": 0.25}}
    assert judged_at({"m": run}, "human", rows, [1, 2, 5]) == expected
    figures = judgement_figures(rows, {"human": [query_id("a")]}, {"human": expected})
    assert figures["results"] == {"m": {"human": expected["m"]}}
    assert (figures["sources"]["human"]["by_people"], figures["uncounted"]) == (2, 2)
    assert uncounted(rows, {"human": [query_id("a")], "ocr": [query_id("a")]}) == 1


@pytest.mark.usefixtures("own_cache")
def test_judgements_of_texts_that_nobody_asks_are_counted_apart(tmp_path: Path) -> None:
    path = tmp_path / "judgements.csv"
    rows = [
        JudgementRow("human", "red shoe", "a", 3, "Ann", ""),
        JudgementRow("human", "blue shoe", "a", 3, "Ann", ""),
        JudgementRow("search", "red shoe", "a", 3, "Ann", ""),
        JudgementRow("search", "Red shoe", "a", 0, "Bob", "=1+1"),
    ]
    append_judgements(rows, path)
    assert read_judgements(path) == rows
    assert uncounted(rows, {"human": {query_id("red shoe")}}) == 2
