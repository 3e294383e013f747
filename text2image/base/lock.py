"""One process at a time where two would pay twice for the same answers."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from text2image.base.console import InputError


@contextmanager
def exclusive_lock(store: Path) -> Iterator[None]:
    """Hold the lock file beside a store's file. SQLite's locks end with their process, however it ends.

    Raises:
        InputError: another process holds it.
    """
    path = store.with_suffix(".lock")
    with closing(sqlite3.connect(path, isolation_level=None, timeout=0)) as lock:
        try:
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError:
            raise InputError(
                f"expected no other run that asks for the same answers, found one, which holds {path}; "
                "run the command again when it has ended: its answers are kept and shared"
            ) from None
        yield
