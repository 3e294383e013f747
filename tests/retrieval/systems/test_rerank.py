"""Reranking: the order that grades make, and a vision model that is asked for no pair twice, whatever happens."""

import json
import signal
import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.chat_server import KEY, ChatServer, rolls
from tests.support.reranking import (
    DEPTH,
    IMAGES,
    PAIRS,
    QUERIES,
    Fixed,
    base,
    count_pairs,
    grader,
    start,
)
from text2image.base.console import InputError
from text2image.base.locks import exclusive_lock
from text2image.base.store import Store
from text2image.formats.texts import query_id
from text2image.queries.judgements import read_judgements
from text2image.queries.judging.model import judge_by_model, judge_determinants, model_judge
from text2image.queries.judging.pool import PooledQuery
from text2image.queries.judging.session import Session
from text2image.retrieval.ranking import top_k
from text2image.retrieval.systems.rerank import MOST_FIRST, MOST_IMAGES, Grade, Pairs, Rerank
from text2image.retrieval.systems.scorer import Why
from text2image.retrieval.systems.settings import Rerank as RerankSettings

pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ChatServer]:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with ChatServer() as running:
        count_pairs(running)
        running.script.content = lambda pair: json.dumps({"reason": pair[:4], "grade": rolls(pair, 0) % 4})
        yield running


def naive_order(row: Sequence[float], depth: int, levels: dict[int, int]) -> list[int]:
    """Sort in plain Python: the first by their grades, ties by the base; then the others by the base."""
    by_base = sorted(range(len(row)), key=lambda column: (-row[column], column))
    if min(row) == max(row):
        return by_base
    return sorted(by_base[:depth], key=lambda column: -levels[column]) + by_base[depth:]


@pytest.mark.parametrize("depth", [1, 3, 7, 40, 1000])
@pytest.mark.parametrize("kind", ["ties", "noise", "constant", "huge"])
def test_the_order_equals_the_grades_with_ties_by_the_base(depth: int, kind: str) -> None:
    random = np.random.default_rng(depth)
    scores = {
        "ties": random.integers(-2, 2, (12, 40)), "noise": random.normal(size=(12, 40)),
        "constant": np.full((12, 40), 0.25), "huge": random.normal(size=(12, 40)) * 1e37,
    }[kind].astype(np.float32)  # fmt: skip
    levels: dict[tuple[int, int], int] = {}

    def grade(pairs: Pairs) -> list[Grade]:
        levels.update({pair: int(random.integers(0, 4)) for pair in pairs})
        return [Grade(levels[pair], str(levels[pair])) for pair in pairs]

    system = Rerank(Fixed(scores), depth, grade)
    assert len(levels) == (0 if kind == "constant" else 12 * min(depth, 40))
    ranked = system.scores(slice(0, 12))
    assert ranked.dtype == np.float32 and np.isfinite(ranked).all()
    for query, row in enumerate(scores):
        own = {column: level for (one, column), level in levels.items() if one == query}
        assert top_k(ranked[query : query + 1], 40)[0].tolist() == naive_order(row.tolist(), depth, own)
    for one in range(12):
        assert system.scores(slice(one, one + 1)).tobytes() == ranked[one : one + 1].tobytes()
    assert kind != "constant" or not ranked.any(), "of which the base says nothing, nothing is said"


def test_ranks_stay_apart_in_the_largest_gallery_and_at_the_greatest_depth() -> None:
    last = np.arange(MOST_IMAGES - 5000, MOST_IMAGES + 1) / (MOST_IMAGES + 1)
    assert (np.diff(last.astype(np.float32)) > 0).all()
    first = MOST_FIRST + 1 - np.arange(MOST_FIRST) / (MOST_FIRST + 1)
    assert (np.diff(first.astype(np.float32)) < 0).all() and first[-1] > MOST_FIRST
    with pytest.raises(ValueError, match="at most 16,777,214 images and 1,000"):
        Rerank(base(), MOST_FIRST + 1, lambda pairs: [])


def test_grades_reasons_and_what_the_base_says_explain_an_image() -> None:
    system = Rerank(
        base(), 2, lambda pairs: [Grade(n % 4, str(n % 4), f"why {n}") for n in range(len(pairs))]
    )
    first = system.first[1].tolist()
    other = next(column for column in range(IMAGES) if column not in first)
    one, two, rest = system.explain(1, [*first, other])
    assert (one.grade, one.reason, one.view) == ("2", "why 2", f"1 {first[0]}")
    assert (two.grade, two.reason) == ("3", "why 3") and two.matches
    assert rest == base().explain(1, [other])[0] and rest.grade == Why().grade


def test_a_vision_model_orders_the_first_images_and_is_asked_once(tmp_path: Path, server: ChatServer) -> None:
    system = Rerank(base(), DEPTH, grader(tmp_path, server.base_url).grade)
    assert len(server.finished) == PAIRS and set(server.finished.values()) == {1}
    for query, row in enumerate(base().given):
        levels = {image: system.grades[query, image].level for image in system.first[query].tolist()}
        ranked = top_k(system.scores(slice(query, query + 1)), IMAGES)[0].tolist()
        assert ranked == naive_order(row.tolist(), DEPTH, levels)
    assert len({grade.level for grade in system.grades.values()}) > 1
    grade = system.explain(0, system.first[0][:1].tolist())[0]
    assert grade.grade in "0123" and len(grade.reason) == 4
    again = Rerank(base(), DEPTH, grader(tmp_path, server.base_url).grade)
    assert again.grades == system.grades and len(server.log) == PAIRS
    Rerank(base(), DEPTH + 1, grader(tmp_path, server.base_url).grade)
    assert len(server.log) == PAIRS + len(QUERIES), "only what the greater depth adds"


def test_no_fault_of_the_service_loses_a_pair_or_buys_it_twice(
    tmp_path: Path, server: ChatServer, capsys: pytest.CaptureFixture[str]
) -> None:
    said: dict[int, Any] = {
        0: {"refusal": "I cannot."},
        1: '{"reason": "cut',
        2: '{"reason": "x", "grade": 9}',
    }
    fine = server.script.content
    server.script.content = lambda pair: said.get(rolls(pair, 3) % 8, fine(pair))
    kinds = cycle([429, 500, "drop", "slow", "garbage", None])  # each of the ways of a busy service in turn
    server.script.outcome = lambda pair, attempt: next(kinds) if attempt == 0 else None
    system = Rerank(base(), DEPTH, grader(tmp_path, server.base_url, concurrency=8).grade)
    met = Counter(str(outcome) for _, _, outcome in server.log)
    assert {"429", "500", "drop", "slow", "garbage"} <= met.keys()
    assert len(server.finished) == PAIRS and set(server.finished.values()) == {1}
    odd = [grade for grade in system.grades.values() if grade.reason in ("refused", "malformed answer")]
    assert odd and {(grade.level, grade.shown) for grade in odd} == {(0, "0")}
    error = capsys.readouterr().err
    assert f"retrieve second human: {len(odd)} of {PAIRS} pairs count as grade 0 (" in error
    assert "had to ask again after" in error
    log = len(server.log)
    assert Rerank(base(), DEPTH, grader(tmp_path, server.base_url).grade).grades == system.grades
    assert len(server.log) == log, "a refusal is an answer, and not asked again"


def stored(folder: Path) -> int:
    """Count the grades in the store."""
    total = 0
    for path in (folder / ".cache" / "judgements").glob("*.sqlite"):
        with closing(sqlite3.connect(path)) as store, suppress(sqlite3.OperationalError):
            total += store.execute("SELECT count(*) FROM results").fetchone()[0]
    return total


@pytest.mark.slow
def test_killed_three_times_it_buys_no_pair_twice(tmp_path: Path, server: ChatServer) -> None:
    last = int(top_k(base().given, IMAGES)[0, -1])  # which no process asks about
    for finished in (1, 8, PAIRS - 2):
        server.script.hold_after, held = finished, len(server.log)
        process = start(tmp_path, server)
        try:
            server.wait_until(lambda: stored(tmp_path) == finished)  # noqa: B023
            server.wait_until(lambda: any(kind == "held" for kind, _, _ in server.log[held:]))  # noqa: B023
            with pytest.raises(InputError, match=r"found process \d+, which holds"):
                grader(tmp_path, server.base_url).grade([(0, last)])
        finally:
            process.kill()
        assert process.wait() == -signal.SIGKILL
    server.script.hold_after = None
    process = start(tmp_path, server)
    assert process.wait(60) == 0
    assert len(server.finished) == PAIRS and set(server.finished.values()) == {1}
    log = len(server.log)
    Rerank(base(), DEPTH, grader(tmp_path, server.base_url).grade)
    assert len(server.log) == log


def test_the_budget_is_kept_and_the_next_run_goes_on(
    tmp_path: Path, server: ChatServer, capsys: pytest.CaptureFixture[str]
) -> None:
    each = (400 * 0.4 + 30 * 1.6) / 1e6
    worst = (400 * 0.4 + 300 * 1.6) / 1e6  # before an answer is there
    budget = 10 * each + worst
    expected = rf"found \d+ without one \(retrieve second human: (\d+) of {PAIRS} pairs are graded, the next run goes on\); raise systems\.second\.budget_usd \(now "
    with pytest.raises(InputError, match=expected):
        Rerank(base(), DEPTH, grader(tmp_path, server.base_url, budget).grade)
    assert "stopped before systems.second.budget_usd" in capsys.readouterr().err
    bought = len(server.finished)
    assert 0 < bought < PAIRS and bought * each <= budget
    assert stored(tmp_path) == bought
    with pytest.raises(InputError, match=rf"{bought} of {PAIRS} pairs"):
        Rerank(base(), DEPTH, grader(tmp_path, server.base_url, budget).grade)
    assert len(server.finished) == bought, "what is spent stays spent"
    Rerank(base(), DEPTH, grader(tmp_path, server.base_url, PAIRS * each + worst).grade)
    assert len(server.finished) == PAIRS and set(server.finished.values()) == {1}


def test_a_server_that_is_gone_ends_the_run_and_keeps_what_came(tmp_path: Path, server: ChatServer) -> None:
    server.script.outcome = lambda pair, attempt: 500 if len(server.finished) >= 3 else None
    calm = {"concurrency": 1, "max_retries": 0}
    expected = rf"for 5 images in a row.*\(retrieve second human: 3 of {PAIRS} pairs are graded, the next run goes on\)"
    with pytest.raises(InputError, match=expected):
        Rerank(base(), DEPTH, grader(tmp_path, server.base_url, **calm).grade)
    lost = server.log[-1][1]
    server.script.outcome = lambda pair, attempt: 500 if pair == lost else None
    with pytest.raises(
        InputError, match=rf"found 1 without one \(.*{PAIRS - 1} of {PAIRS} pairs.*; run it again"
    ):
        Rerank(base(), DEPTH, grader(tmp_path, server.base_url, concurrency=1, max_retries=1).grade)
    server.script.outcome = lambda pair, attempt: None
    Rerank(base(), DEPTH, grader(tmp_path, server.base_url).grade)
    assert len(server.finished) == PAIRS and set(server.finished.values()) == {1}


def test_what_was_judged_is_not_bought_again_nor_the_other_way_round(
    tmp_path: Path, server: ChatServer
) -> None:
    looks = grader(tmp_path, server.base_url)
    files = {str(number): image for number, image in enumerate(looks.images)}
    pooled = [PooledQuery(query_id(text), text, tuple(files)) for text in QUERIES[:2]]
    judge = Session("human", model_judge(looks.settings), pooled, tmp_path / "judgements.csv")
    judge_by_model(judge, files, looks.settings, looks.runtime)
    judged = len(server.finished)
    assert judged == 2 * IMAGES
    system = Rerank(base(), DEPTH, looks.grade)
    assert len(server.finished) == judged + 2 * DEPTH and set(server.finished.values()) == {1}
    grades = {(row.query, row.image_id): row.relevance for row in read_judgements(judge.path)}
    for (query, image), grade in system.grades.items():
        if query < 2:
            assert grades[QUERIES[query], str(image)] == grade.level
    every = [PooledQuery(query_id(text), text, tuple(files)) for text in QUERIES]
    judge = Session("human", model_judge(looks.settings), every, tmp_path / "judgements.csv")
    judge_by_model(judge, files, looks.settings, looks.runtime)
    assert len(server.finished) == len(QUERIES) * IMAGES and set(server.finished.values()) == {1}


def test_an_estimate_asks_nothing(
    tmp_path: Path, server: ChatServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = grader(tmp_path, server.base_url)
    looks.grade([(0, 0), (0, 1)])
    monkeypatch.delenv("OPENAI_API_KEY")
    said = looks.estimate([(query, image) for query in range(4) for image in range(5)])
    assert "retrieve second human: 18 of 20 pairs of query and image not graded yet" in said
    assert f"about {18 * (400 * 0.4 + 30 * 1.6) / 1e6:.2f} USD" in said and "as the 2 answers so far" in said
    assert len(server.log) == 2
    looks.grade([(0, 0)])  # no key is looked for where nothing is asked
    with pytest.raises(InputError, match="status 401"):
        looks.grade([(1, 1)])


def test_two_processes_do_not_ask_at_once_but_may_read(tmp_path: Path, server: ChatServer) -> None:
    looks = grader(tmp_path, server.base_url)
    known = looks.grade([(0, 1)])
    with (
        Store("judgements", judge_determinants(looks.settings)) as store,
        exclusive_lock(store.path),
    ):
        assert looks.grade([(0, 1)]) == known, "what is in the store needs no lock"
        with pytest.raises(InputError, match="no other run that asks for the same answers"):
            looks.grade([(0, 0), (0, 1)])
    assert len(server.log) == 1


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"fields": ["ocr"]}, "expected no fields with by: openai"),
        ({"by": "some/model"}, "expected fields that 'some/model' reads"),
        ({"by": "some/model", "fields": ["ocr"], "budget_usd": 1.0}, "neither prompt nor budget_usd"),
        ({"depth": 1001}, "less than or equal to 1000"),
    ],
)
def test_a_system_says_what_it_needs_and_no_more(changed: dict[str, Any], message: str) -> None:
    RerankSettings(kind="rerank", of="builtin")
    with pytest.raises(ValueError, match=message):
        RerankSettings(**({"kind": "rerank", "of": "builtin"} | changed))
