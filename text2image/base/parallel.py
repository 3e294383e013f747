"""Work in threads, in order, with a bounded number of results in memory."""

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from itertools import islice
from typing import Any, TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")

WAITING = 2
"""Results a thread that may wait for the reader."""


def thread_count(workers: int | None) -> int:
    """Return how many threads ``runtime.workers`` means: one a core for None."""
    return max(1, os.cpu_count() or 1 if workers is None else workers)


def one_opencv_thread() -> None:
    """Have OpenCV work in the thread that calls it: there is one a core, or a process, already.

    To be said before processes are forked. In one of them, OpenCV would wait for ever for the end of threads that it
    had begun before.
    """
    import cv2

    cv2.setNumThreads(1)


def in_threads(
    function: Callable[[Task], Result],
    tasks: Iterable[Task],
    workers: int | None,
    start: Callable[[], None] | None = None,
) -> Generator[Result, None, None]:
    """Yield ``function(task)`` of each task in order; at most ``WAITING`` results a thread wait in memory.

    Args:
        function: what to compute; it should release the interpreter's lock for most of its time.
        tasks: its arguments.
        workers: threads; None for one a core.
        start: called once in every thread before its first task.
    """
    count = thread_count(workers)
    remaining = iter(tasks)
    with ThreadPoolExecutor(count, initializer=start) as pool:
        waiting = deque(pool.submit(function, task) for task in islice(remaining, WAITING * count))
        try:
            while waiting:
                result = waiting.popleft().result()
                waiting.extend(pool.submit(function, task) for task in islice(remaining, 1))
                yield result
        finally:
            pool.shutdown(cancel_futures=True)


def in_lanes(
    lanes: Sequence[Sequence[Callable[[Any], Any]]], tasks: Iterable[Any], waiting: int = WAITING
) -> Generator[Any, None, None]:
    """Yield what lanes make of tasks, in order: each task goes through all functions of one lane.

    Every function has a thread of its own, so that one works on a task while the next works on the task before it; and
    every function sees its tasks in order, one at a time. Lanes take turns.

    Args:
        lanes: functions, each of which takes what the one before it returned.
        tasks: what the first functions take; they are taken by the thread that asks for results.
        waiting: tasks a function that are under way or wait for the reader.
    """
    with ExitStack() as stack:
        pools = [[stack.enter_context(ThreadPoolExecutor(1)) for _ in lane] for lane in lanes]

        def start(number: int, task: Any) -> Future[Any]:
            place = number % len(lanes)
            result: Future[Any] = pools[place][0].submit(lanes[place][0], task)
            for pool, function in zip(pools[place][1:], lanes[place][1:], strict=True):
                result = pool.submit(lambda before, run: run(before.result()), result, function)
            return result

        most = waiting * sum(len(lane) for lane in lanes)
        under_way: deque[Future[Any]] = deque()
        try:
            for number, task in enumerate(tasks):
                under_way.append(start(number, task))
                while len(under_way) >= most or (under_way and under_way[0].done()):
                    yield under_way.popleft().result()
            while under_way:
                yield under_way.popleft().result()
        finally:
            for pool in (pool for row in pools for pool in row):
                pool.shutdown(wait=False, cancel_futures=True)
