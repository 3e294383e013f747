"""Work in threads, in order, with a bounded number of results in memory."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

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
) -> Iterator[Result]:
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
