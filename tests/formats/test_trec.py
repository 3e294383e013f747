"""TREC files: what is written is what is read."""

from pathlib import Path

import numpy as np
import pytest

from text2image.base.console import InputError
from text2image.formats.texts import Query
from text2image.formats.trec import read_qrels, read_queries, read_run, run_lines, write_qrels, write_queries


def test_queries_and_qrels_come_back(tmp_path: Path) -> None:
    queries = [Query("q1", "a b", ("i1", "i2")), Query("q2", "日本", ("i1",))]
    write_queries(tmp_path / "q.tsv", queries)
    assert read_queries(tmp_path / "q.tsv") == {"q1": "a b", "q2": "日本"}
    qrels = {"q1": {"i1": 1, "i2": 3}, "q2": {"i1": 2}}
    write_qrels(tmp_path / "q.qrels", qrels)
    assert read_qrels(tmp_path / "q.qrels") == qrels


def test_tied_scores_are_written_in_the_order_of_their_ranks(tmp_path: Path) -> None:
    scores = np.array([0.5, 0.5, 0.5, np.nextafter(np.float32(0.5), np.float32(0)), -0.1, -0.1], np.float32)
    (tmp_path / "t.run").write_text("".join(run_lines("q", list("abcdef"), scores, "m")))
    read = read_run(tmp_path / "t.run")["q"]
    assert [image for image, _ in sorted(read, key=lambda item: -np.float32(item[1]))] == list("abcdef")
    assert len({np.float32(score) for _, score in read}) == 6


@pytest.mark.parametrize("score", ["nan", "-inf", "1e999", "best"])
def test_a_score_that_compares_with_none_is_refused_by_its_line(tmp_path: Path, score: str) -> None:
    path = tmp_path / "t.run"
    path.write_text(f"q1 Q0 a 1 0.9 m\nq1 Q0 b 2 {score} m\n")
    with pytest.raises(InputError, match=rf"{path}, found 'q1 Q0 b 2 {score} m' on line 2; run `dvc repro`"):
        read_run(path)
    assert read_run(path, depth=1) == {"q1": [("a", 0.9)]}


def test_a_run_is_read_as_far_as_it_is_wanted(tmp_path: Path) -> None:
    rows = [("q1", "a", 0.9), ("q1", "b", 0.8), ("q2", "c", 0.7), ("q2", "a", 0.6), ("q2", "b", 0.5)]
    path = tmp_path / "t.run"
    path.write_text("".join(f"{query} Q0 {image} 1 {score} m\n" for query, image, score in rows))
    assert read_run(path, depth=1) == {"q1": [("a", 0.9)], "q2": [("c", 0.7)]}
    assert read_run(path, depth=9, queries={"q2"}) == {"q2": [("c", 0.7), ("a", 0.6), ("b", 0.5)]}
    assert read_run(path) == {"q1": [("a", 0.9), ("b", 0.8)], "q2": [("c", 0.7), ("a", 0.6), ("b", 0.5)]}
