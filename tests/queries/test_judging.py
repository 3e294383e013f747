"""Judging: the pool of images to grade, and one judge's way through it."""

from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.support.judging import EVIL, HAT, HEADER, POOL, SHOE, session
from text2image.queries.judgements import read_judgements
from text2image.queries.judging.pool import PooledQuery, Progress, pool, progress

pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "judgements.csv"


def test_the_pool_is_the_top_of_every_run_and_what_counts_as_relevant() -> None:
    runs = [
        {"q2": [("e", 0.9), ("d", 0.8), ("a", 0.7)], "q1": [("b", 0.9), ("c", 0.1)]},
        {"q2": [("e", 0.9), ("f", 0.2)]},
    ]
    relevant: list[dict[str, Iterable[str]]] = [
        {"q2": {"z": 2}, "left out": {"x": 2}},
        {"q1": ("a",), "q2": ("z", "y")},
    ]
    assert pool({"q2": "two", "q1": "one"}, relevant, runs, depth=2) == [
        PooledQuery("q2", "two", ("d", "e", "f", "y", "z")),
        PooledQuery("q1", "one", ("a", "b", "c")),
    ]


def test_progress_counts_queries_and_images() -> None:
    assert progress(POOL, {}) == Progress(0, 2, 0, 4)
    assert progress(POOL, {(SHOE, "a"): 0, (SHOE, "b"): 3, (HAT, "b"): 1, (HAT, "x"): 1}) == (1, 2, 3, 4)
    assert str(Progress(37, 240, 412, 1180)) == "37 of 240 queries, 412 of 1,180 images"


def test_a_session_resumes_where_the_file_says(path: Path) -> None:
    first = session(path)
    assert first.judge(SHOE, "a", 2, " good\none ")
    assert path.read_text() == f"{HEADER}human,red shoe,a,2,Ann,good one\n"
    turn = session(path).turn()
    assert turn is not None and (turn.query.query_id, turn.image_id, turn.grades) == (SHOE, "b", {"a": 2})
    other = session(path, by="Bo").turn()
    assert other is not None and other.image_id == "a"


def test_a_grade_counts_once_and_only_for_the_pool(path: Path) -> None:
    one = session(path)
    assert one.judge(SHOE, "a", 2)
    assert not one.judge(SHOE, "a", 0)
    assert not one.judge(SHOE, "c", 2)
    assert not one.judge("q0", "a", 2)
    assert not one.judge(SHOE, "b", 4)
    assert [row.relevance for row in read_judgements(path)] == [2]


def test_undo_goes_back_one_by_one_and_into_skipped_queries(path: Path) -> None:
    one = session(path)
    one.judge(SHOE, "a", 2)
    one.skip(SHOE)
    one.judge(HAT, "b", 1)
    one.judge(HAT, "c", 1)
    assert one.turn() is None
    undone = [one.undo() for _ in range(4)]
    assert [row and (row.query, row.image_id) for row in undone] == [
        (EVIL, "c"),
        (EVIL, "b"),
        ("red shoe", "a"),
        None,
    ]
    turn = one.turn()
    assert turn is not None and turn.image_id == "a" and path.read_text() == HEADER
