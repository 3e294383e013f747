"""One process at a time: locks beside the files of the store, which end with their process, however it ends.

They are SQLite's own, which are no longer held once the process that took them is gone, even where processes that it
forked go on.
"""

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from text2image.base.console import InputError, say
from text2image.base.databases import connect, database_errors, is_locked

SAY_AFTER_S = 3.0  # a wait that is worth a line
LOOK_EVERY_S = 0.1
PROC_LOCKS = Path("/proc/locks")


@contextmanager
def exclusive_lock(store: Path) -> Iterator[None]:
    """Hold the lock file beside a store's file, where two processes would pay twice for the same answers.

    Raises:
        InputError: another process holds it, or it cannot be made.
    """
    with closing(_Lock(store)) as lock:
        if not lock.take():
            raise InputError(
                f"expected no other run that asks for the same answers, found {lock.holder()}, which holds {lock.path}; "
                "run the command again when it has ended: its answers are kept and shared"
            )
        yield


@contextmanager
def waiting_lock(store: Path) -> Iterator[None]:
    """Hold the lock file beside a store's file, where two processes would compute the same; the second waits.

    Who waits says so after some seconds. What the first has stored is there once this one has the lock: look again.

    Raises:
        InputError: the lock file cannot be made.
    """
    began, said = time.monotonic(), False
    with closing(_Lock(store)) as lock:
        while not lock.take():
            if not said and time.monotonic() - began >= SAY_AFTER_S:
                said = True
                say(
                    f"waiting for {lock.holder()}, which computes the same and holds {lock.path}: what it stores is used "
                    "as soon as it ends"
                )
            time.sleep(LOOK_EVERY_S)
        yield


class _Lock:
    """The lock file beside a store's file, an empty database."""

    def __init__(self, store: Path) -> None:
        self.path = store.with_suffix(".lock")
        with database_errors(self.path):
            self._db = connect(self.path, timeout=0)

    def take(self) -> bool:
        """Say whether this process holds the lock now."""
        with database_errors(self.path):
            try:
                self._db.execute("BEGIN EXCLUSIVE")
            except sqlite3.OperationalError as error:
                if not is_locked(error):
                    raise
                return False
            return True

    def close(self) -> None:
        self._db.close()

    def holder(self) -> str:
        """Name the process that holds the lock, where the system tells (Linux)."""
        with suppress(OSError, ValueError):
            status = self.path.stat()
            file = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
            for line in PROC_LOCKS.read_text(encoding="ascii").splitlines():
                fields = line.split()
                if file in fields and "->" not in fields:
                    return f"process {int(fields[fields.index(file) - 1])}"
        return "another one"
