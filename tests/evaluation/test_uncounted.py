"""Judgements of texts that no label source asks are counted apart."""

from pathlib import Path

import pytest

from text2image.evaluation.judged import uncounted
from text2image.formats.texts import query_id
from text2image.queries.judgements import JudgementRow, append_judgements, read_judgements


def test_judgements_of_texts_that_nobody_asks_are_counted_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "judgements.csv"
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    rows = [
        JudgementRow("human", "red shoe", "a", 3, "Ann", ""),
        JudgementRow("human", "blue shoe", "a", 3, "Ann", ""),
        JudgementRow("search", "red shoe", "a", 3, "Ann", ""),
        JudgementRow("search", "Red shoe", "a", 0, "Bob", "=1+1"),
    ]
    append_judgements(rows, path)
    assert read_judgements(path) == rows
    assert uncounted(rows, {"human": {query_id("red shoe")}}) == 2
