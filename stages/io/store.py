"""A content-addressed store of costly results, safe against kills and under several processes.

One SQLite file a *space*, which is named by everything but the image that determines a result
(model weights, preprocessing, prompt …); rows are keyed by image. It lives in ``.cache/`` under
``DVC_ROOT``, so that queued and temporary experiments share it.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

PAGE_BYTES = 65536  # large pages: an embedding of 2 KB in 4 KB pages would waste half the disk
LOOKUP_KEYS = 500


def cache_root() -> Path:
    """Return ``.cache/`` in ``DVC_ROOT``, which DVC sets for stages, or else in the repository root."""
    root = os.environ.get("DVC_ROOT")
    return Path(root or Path(__file__).resolve().parents[2]) / ".cache"


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
        self._db = sqlite3.connect(self.path, timeout=60, isolation_level=None)
        self._db.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.execute("CREATE TABLE IF NOT EXISTS results (key TEXT PRIMARY KEY, value BLOB)")
        self._db.execute("CREATE TABLE IF NOT EXISTS about (determinants TEXT PRIMARY KEY)")
        self._db.execute(
            "INSERT OR IGNORE INTO about VALUES (?)",
            (json.dumps(determinants, sort_keys=True, ensure_ascii=False),),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._db.close()

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
        wanted = list(keys)
        there: set[str] = set()
        for start in range(0, len(wanted), LOOKUP_KEYS):
            some = wanted[start : start + LOOKUP_KEYS]
            marks = ",".join("?" * len(some))
            rows = self._db.execute(f"SELECT key FROM results WHERE key IN ({marks})", some)
            there.update(key for (key,) in rows)
        return [key for key in wanted if key not in there]
