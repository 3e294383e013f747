"""Work in threads: in order, and never far ahead of the reader."""

import threading
import time

import pytest

from text2image.base.parallel import WAITING, in_threads


def test_results_come_in_order() -> None:
    def slow_at_first(number: int) -> int:
        time.sleep(0.01 * (number < 3))
        return number * number

    assert list(in_threads(slow_at_first, range(20), 3)) == [number * number for number in range(20)]


def test_threads_wait_for_the_reader() -> None:
    begun: list[int] = []
    results = in_threads(lambda number: begun.append(number), range(100), 2)
    next(results)
    time.sleep(0.05)
    assert len(begun) <= 2 * WAITING + 1


def test_every_thread_is_started_once_and_errors_are_passed_on() -> None:
    started: set[int] = set()

    def fail(number: int) -> int:
        if number == 5:
            raise ZeroDivisionError
        return threading.get_ident()

    def start() -> None:
        started.add(threading.get_ident())

    seen: list[int] = []
    with pytest.raises(ZeroDivisionError):
        for thread in in_threads(fail, range(9), 2, start):
            seen.append(thread)  # noqa: PERF402
    assert len(seen) == 5
    assert set(seen) <= started
