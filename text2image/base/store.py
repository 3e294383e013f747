"""A content-addressed store of costly results, safe against kills and under several processes.

One SQLite file a *space*, which is named by everything but the image that determines a result
(model weights, preprocessing, prompt …); rows are keyed by image. It lives in ``.cache/`` under
``DVC_ROOT``, so that queued and temporary experiments share it.
"""

import hashlib
import json
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Self

from text2image.base.console import InputError

PAGE_BYTES = 32768  # an embedding of 2 KB in pages of 4 KB would waste half the disk; 64 KB are slow to write
LOOKUP_KEYS = 500
TIMEOUT_S = 60  # to wait for other processes


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


class Store:
    """Bytes by key, in one SQLite file.

    Every :meth:`put` is one transaction: after a kill it is there whole or not at all. Several
    processes may read and write at once; two that put the same key agree by construction.
    """

    def __init__(self, kind: str, determinants: Any, root: Path | None = None) -> None:
        folder = (root or cache_root()) / kind
        folder.mkdir(parents=True, exist_ok=True)
        space = fingerprint(determinants)
        self.path = folder / f"{space}.sqlite"
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

    def put(self, items: Iterable[tuple[str, bytes]]) -> None:
        """Keep all ``(key, value)`` or none of them; a key that is there is overwritten."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            self._db.executemany("INSERT OR REPLACE INTO results VALUES (?, ?)", items)
            self._db.execute("COMMIT")
        except BaseException:
            self._db.execute("ROLLBACK")
            raise

    def get(self, keys: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """Yield ``(key, value)`` for those ``keys`` that are there."""
        wanted = list(keys)
        for start in range(0, len(wanted), LOOKUP_KEYS):
            some = wanted[start : start + LOOKUP_KEYS]
            marks = ",".join("?" * len(some))
            yield from self._db.execute(f"SELECT key, value FROM results WHERE key IN ({marks})", some)

    def missing(self, keys: Iterable[str]) -> list[str]:
        """Return those ``keys`` that are not there, in their order."""
        absent = "SELECT value FROM json_each(?) WHERE value NOT IN (SELECT key FROM results)"
        return [key for (key,) in self._db.execute(absent, (json.dumps(list(keys)),))]


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
