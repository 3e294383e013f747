"""A content-addressed store of costly results, safe against kills and under several processes.

One SQLite file a *space*, which is named by everything but the image that determines a result
(model weights, preprocessing, prompt …); rows are keyed by image. It lives in ``.cache/`` under
``DVC_ROOT``, so that queued and temporary experiments share it.
"""

import hashlib
import json
import os
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple, Self

from text2image.base.console import InputError

PAGE_BYTES = 32768  # an embedding of 2 KB in pages of 4 KB would waste half the disk; 64 KB are slow to write
LOOKUP_KEYS = 500
TIMEOUT_S = 60  # to wait for other processes
NOT_WRITTEN = {
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CANTOPEN,
}
"""What SQLite says where the disk is full, or does not take what is written for another reason."""

Item = tuple[str, bytes]
"""A key and its value."""


def cache_root() -> Path:
    """Return ``.cache/`` in ``DVC_ROOT``, which DVC sets for stages, or else in the project's root.

    That is the nearest folder with a ``.dvc``, from the working directory upwards; the working directory if
    there is none.
    """
    if root := os.environ.get("DVC_ROOT"):
        return Path(root) / ".cache"
    here = Path.cwd()
    return next((folder for folder in (here, *here.parents) if (folder / ".dvc").is_dir()), here) / ".cache"


def fingerprint(determinants: Any) -> str:
    """Return 24 hex digits of the SHA-256 of ``determinants`` as canonical JSON."""
    canonical = json.dumps(determinants, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(canonical.encode("utf-8")).hexdigest()[:24]


@contextmanager
def _disk_errors(path: Path) -> Iterator[None]:
    """Say in one sentence that the disk did not take what a block writes to a store's file."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF not in NOT_WRITTEN:
            raise
        raise InputError(
            f"expected a disk that takes what is written to {path}, found: {error}; make room or allow it, and run the "
            "same command to go on: what was written before is kept"
        ) from None


class Store:
    """Bytes by key, in one SQLite file.

    Every :meth:`put` is one transaction: after a kill it is there whole or not at all. Several
    processes may read and write at once; two that put the same key agree by construction.
    """

    def __init__(self, kind: str, determinants: Any, root: Path | None = None) -> None:
        root = root or cache_root()
        self.space = kind, determinants, root
        folder = root / kind
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / f"{fingerprint(determinants)}.sqlite"
        with _disk_errors(self.path):
            self._db = sqlite3.connect(self.path, timeout=TIMEOUT_S, isolation_level=None)
            self._db.execute(f"PRAGMA page_size = {PAGE_BYTES}")
            self._write_ahead()
            self._db.execute("PRAGMA synchronous = NORMAL")
            self._db.execute("CREATE TABLE IF NOT EXISTS results (key TEXT PRIMARY KEY, value BLOB)")
            self._db.execute("CREATE TABLE IF NOT EXISTS about (determinants TEXT PRIMARY KEY)")
            self._db.execute(
                "INSERT OR IGNORE INTO about VALUES (?)",
                (json.dumps(determinants, sort_keys=True, ensure_ascii=False),),
            )
        os.utime(self.path)  # when it was last used

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self._db.close()

    def _write_ahead(self) -> None:
        """Have a new file use a write-ahead log; wait for others that do the same, for which SQLite itself does not."""
        until = time.monotonic() + TIMEOUT_S
        while True:
            try:
                self._db.execute("PRAGMA journal_mode = WAL")
                return
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                    raise
            time.sleep(0.01)

    def put(self, items: Iterable[Item]) -> None:
        """Keep all ``(key, value)`` or none of them; a key that is there is overwritten.

        Raises:
            InputError: the disk is full or does not take them.
        """
        with _disk_errors(self.path):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                self._db.executemany("INSERT OR REPLACE INTO results VALUES (?, ?)", items)
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:  # where the disk is full, SQLite may have ended it
                    self._db.execute("ROLLBACK")
                raise

    def get(self, keys: Iterable[str]) -> Iterator[Item]:
        """Yield ``(key, value)`` for those ``keys`` that are there."""
        wanted = list(keys)
        for start in range(0, len(wanted), LOOKUP_KEYS):
            some = wanted[start : start + LOOKUP_KEYS]
            marks = ",".join("?" * len(some))
            yield from self._db.execute(f"SELECT key, value FROM results WHERE key IN ({marks})", some)

    def missing(self, keys: Iterable[str]) -> list[str]:
        """Return those ``keys`` that are not there, in their order."""
        wanted = list(keys)
        if (
            self._db.execute("SELECT 1 FROM results LIMIT 1").fetchone() is None
        ):  # new: nothing to compare with
            return wanted
        absent = "SELECT value FROM json_each(?) WHERE value NOT IN (SELECT key FROM results)"
        return [key for (key,) in self._db.execute(absent, (json.dumps(wanted),))]


class Writer:
    """Puts results into a store in a thread of its own, so that who computes them does not wait for the disk.

    What comes while a transaction is under way makes the next one. A block ends when all is written, also where an
    error or Ctrl-C ends it. Only a kill loses results: those of ``ahead`` calls of :meth:`put` that have returned, at
    most, and of one that has not.
    """

    def __init__(self, store: Store, ahead: int = 1) -> None:
        """Take a store, and how many calls of :meth:`put` may return before their items are written."""
        self._space, self._ahead = store.space, ahead
        self._changed = threading.Condition()
        self._waiting: list[Sequence[Item]] = []
        self._unwritten, self._closed = 0, False
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._write, name="store", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *raised: object) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join()
        self._check()

    def put(self, items: Sequence[Item]) -> None:
        """Have items written, those of one call whole or not at all.

        Raises:
            InputError: the disk did not take these, or earlier ones.
        """
        with self._changed:
            self._check()
            self._waiting.append(items)
            self._unwritten += 1
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._unwritten <= self._ahead or self._error)
            self._check()

    def _check(self) -> None:
        if self._error is not None:
            raise self._error

    def _write(self) -> None:
        try:
            with Store(*self._space) as store:  # a connection belongs to the thread that made it
                while batches := self._take():
                    store.put(chain.from_iterable(batches))
                    with self._changed:
                        self._unwritten -= len(batches)
                        self._changed.notify_all()
        except BaseException as error:
            with self._changed:
                self._error = error
                self._changed.notify_all()

    def _take(self) -> list[Sequence[Item]]:
        """Return what waits, as soon as something does; nothing when all is written."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed)
            batches, self._waiting = self._waiting, []
            return batches


@contextmanager
def exclusive_lock(store: Path) -> Iterator[None]:
    """Hold the lock file beside a store's file, where two processes would pay twice for the same answers.

    SQLite's locks end with their process, however it ends.

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


class Space(NamedTuple):
    """A space of the store; ``used`` is when it was last opened, in seconds since 1970."""

    kind: str
    path: Path
    about: Any
    entries: int
    bytes: int
    used: float


def spaces(root: Path) -> Iterator[Space]:
    """Yield every space below ``root``, sorted by kind, without counting as a use of it."""
    for path in sorted(root.rglob("*.sqlite")):
        used = path.stat().st_mtime
        with closing(sqlite3.connect(path, timeout=60)) as db:
            try:
                (entries,) = db.execute("SELECT count(*) FROM results").fetchone()
                about = db.execute("SELECT determinants FROM about").fetchone()
            except sqlite3.DatabaseError:  # not a store of ours, or a broken one
                continue
        size = sum(file.stat().st_size for file in path.parent.glob(f"{path.name}*"))
        kind = path.parent.relative_to(root).as_posix()
        yield Space(kind, path, json.loads(about[0]) if about else None, entries, size, used)


def delete(path: Path) -> bool:
    """Delete a space unless a process has it open, and say whether it is gone."""
    with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as db:
        try:
            db.execute("PRAGMA journal_mode = DELETE")  # refused while anybody else is connected
            db.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError:
            return False
        for file in path.parent.glob(f"{path.stem}.*"):
            file.unlink(missing_ok=True)
    return True
