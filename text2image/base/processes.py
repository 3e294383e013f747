"""Processes that outlive what started them, and those that do the same work beside each other."""

import os
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from filelock import FileLock, Timeout

from text2image.base.console import say

POLL = 0.5
"""Seconds between two looks at whether a parent is still there."""

GRACE = 10.0
"""Seconds that an orphan has to end in order."""

LOCKS = Path(".dvc", "tmp", "stages")
"""Where a project has a lock for each of its stages."""


def end_with_parent(ended: Callable[[], None] | None = None) -> None:
    """End this process soon after the one that started it, which may have been killed.

    A stage would otherwise go on after its DVC, unseen, and write over what a new run has made; a pool's processes would
    wait for work for ever.

    Args:
        ended: called first, and given ``GRACE`` seconds to have this process end in order.
    """
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(POLL)
        if ended is not None:
            ended()
            time.sleep(GRACE)
        os._exit(128 + signal.SIGTERM)

    threading.Thread(target=watch, name="parent", daemon=True).start()


def interrupt() -> None:
    """Have this process end by SIGTERM, which its main thread notices while it waits, too; from another thread."""
    say("what started this process has ended, so it ends, too")
    if ident := threading.main_thread().ident:
        signal.pthread_kill(ident, signal.SIGTERM)


def end_in_order_on_sigterm() -> None:
    """Have a first SIGTERM end this process as Ctrl-C does, so that temporary files go; a second ends it at once."""

    def terminated(number: int, frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, terminated)


def begin_worker() -> None:
    """Begin a process of a pool: it ends with the process that it works for, which alone is interrupted by Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    end_with_parent()


@contextmanager
def one_at_a_time(stage: str, root: Path) -> Iterator[None]:
    """Wait until no other process runs the same stage of a project, such as one whose DVC was killed."""
    folder = root / LOCKS
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / f"{re.sub(r'[^@A-Za-z0-9_-]', '_', stage)[:200]}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        say(f"{stage}: another process still runs this stage here; waiting for its end")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def running_stages(root: Path) -> list[str]:
    """Return the stages of a project that run now, in any process."""
    running = []
    for path in sorted((root / LOCKS).glob("*.lock")):
        lock = FileLock(path)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            running.append(path.stem)
        else:
            lock.release()
    return running
