"""How many requests are in flight, and what is said while nothing comes."""

import asyncio
import itertools
import threading
import time

import pytest

from tests.support.hostile import GOOD, Handler, HostileServer, Mode, body, says
from tests.support.workplace import Workplace
from text2image.labels.openai.pace import Concurrency


def in_flight_over_time(most: int, seconds: list[float]) -> list[int]:
    """Return the limits after answers that each took so long, with as many in flight as there may be."""
    now = [0.0]
    limits = []
    concurrency = Concurrency(most, lambda: now[0])
    for each in seconds:
        started, together = now[0], concurrency.limit
        now[0] += each
        concurrency.answered(started, together)
        limits.append(concurrency.limit)
    return limits


def test_a_server_that_is_no_slower_for_more_gets_as_many_as_it_may() -> None:
    assert in_flight_over_time(6, [3.0] * 8) == [1, 2, 3, 4, 5, 6, 6, 6]


def test_a_server_that_works_on_one_at_a_time_gets_one_and_is_tried_ever_more_rarely() -> None:
    now, limits = [0.0], list[int]()
    concurrency = Concurrency(8, lambda: now[0])
    for _ in range(60):
        started, together = now[0], concurrency.limit
        now[0] += 3.0 * together if limits else 90.0  # it loads its model first
        concurrency.answered(started, together)
        limits.append(concurrency.limit)
    assert max(limits) == 2
    assert limits.count(2) <= 4, "after 1, 4, 16 answers, and not yet after 64"


def test_fast_answers_are_not_measured_by_faster_ones() -> None:
    assert in_flight_over_time(4, [0.01, 0.01, 0.9, 0.9, 0.9]) == [1, 2, 3, 4, 4]


def test_a_time_out_halves_once_for_all_that_were_in_flight_together() -> None:
    now = [0.0]
    concurrency = Concurrency(8, lambda: now[0])
    for _ in range(8):
        concurrency.answered(now[0], concurrency.limit)
    limits = [concurrency.limit]
    now[0] = 5.0
    for _ in range(8):
        concurrency.timed_out(1.0)
    limits.append(concurrency.limit)
    now[0] = 6.0
    concurrency.timed_out(5.5)
    assert [*limits, concurrency.limit] == [8, 4, 2]
    assert concurrency.lowered


def test_places_follow_the_limit() -> None:
    async def most_at_once(concurrency: Concurrency) -> int:
        most = 0

        async def work() -> None:
            nonlocal most
            async with concurrency.place():
                most = max(most, concurrency.in_flight)
                await asyncio.sleep(0.001)

        await asyncio.gather(*(work() for _ in range(20)))
        return most

    async def all_of_it() -> list[int]:
        now = [0.0]
        concurrency = Concurrency(5, lambda: now[0])
        found = [await most_at_once(concurrency)]
        for _ in range(5):
            concurrency.answered(now[0], concurrency.limit)
        found.append(await most_at_once(concurrency))
        now[0] = 1.0
        concurrency.timed_out(0.5)
        found.append(await most_at_once(concurrency))
        concurrency.answered(1.0, 4)
        return [*found, await most_at_once(concurrency)]

    assert asyncio.run(all_of_it()) == [1, 5, 2, 3]


@pytest.mark.slow
def test_a_server_that_serves_one_at_a_time_loses_no_image(
    workplace: Workplace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Eight at once would time out: each takes 0.25 s of a server that works on one at a time, and loads its model first."""
    monkeypatch.setattr("text2image.labels.openai.pace.PROMPT", 0.05)
    turns, served, most, changed = itertools.count(), [0], [0], threading.Condition()

    def reply(handler: Handler) -> None:
        with changed:
            turn = next(turns)
            most[0] = max(most[0], turn - served[0] + 1)
            changed.wait_for(lambda: served[0] == turn)
        time.sleep(0.25 if turn else 0.6)
        with changed:
            served[0] += 1
            changed.notify_all()
        body(says(GOOD))(handler)

    with HostileServer(Mode("one at a time", reply)) as server:
        workplace.images(14)
        workplace.set(base_url=server.base_url)
        workplace.speed(concurrency=8, timeout=1.5, max_retries=1)
        workplace.run()
        assert not workplace.unlabelled()
        assert len(server.bodies) <= 16
    assert most[0] <= 4
    assert capsys.readouterr().err.count("takes the longer, the more it is asked at once") == 1


def test_silence_is_explained(
    workplace: Workplace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("text2image.labels.openai.ask.SILENCE", 0.1)

    def reply(handler: Handler) -> None:
        time.sleep(0.5)
        body(says(GOOD))(handler)

    with HostileServer(Mode("slow", reply)) as server:
        workplace.images(1)
        workplace.set(base_url=server.base_url)
        workplace.run()
        said = [line for line in capsys.readouterr().err.splitlines() if "waiting for" in line]
        assert said[0] == (
            f"label openai: waiting for the first answer of {server.base_url} (1 in flight, for 10 s each at most)"
        )
    assert 2 <= len(said) <= 3, "after 0.1 s, 0.2 s and 0.4 s"


def test_the_line_comes_within_ten_seconds() -> None:
    from text2image.labels.openai.pace import SILENCE

    assert SILENCE * 9 / 8 < 10


def test_a_later_run_of_the_process_begins_with_what_was_learned(
    workplace: Workplace, capsys: pytest.CaptureFixture[str]
) -> None:
    """Dialect and number in flight; with a budget, the number only once an answer has shown what the model takes."""
    most, now, lock = [0], [0], threading.Lock()

    def reply(handler: Handler) -> None:
        if "max_tokens" in handler.server.bodies[-1]:
            body({"error": "use max_completion_tokens"}, 400)(handler)
            return
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        time.sleep(0.1)
        with lock:
            now[0] -= 1
        body(says(GOOD))(handler)

    def most_of_a_run(images: int, **changes: object) -> int:
        most[0] = 0
        workplace.images(images)
        workplace.set(base_url=server.base_url, **changes)
        workplace.run()
        return most[0]

    with HostileServer(Mode("parallel", reply)) as server:
        workplace.speed(concurrency=4)
        assert most_of_a_run(12) == 4
        assert capsys.readouterr().err.count("does not take max_tokens") == 1
        assert most_of_a_run(3, prompt="Another.") == 3, "at once"
        assert most_of_a_run(3, prompt="A third.", budget_usd=1.0) < 3
        assert len(server.bodies) == 12 + 3 + 3 + 1
    assert "does not take" not in capsys.readouterr().err
