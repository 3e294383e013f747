"""A content-addressed store of costly results, safe against kills, damage and several processes.

One SQLite file a *space*, which is named by everything but the image that determines a result
(model weights, preprocessing, prompt …); rows are keyed by image. It lives in ``.cache/`` under
``DVC_ROOT``, so that queued and temporary experiments share it.

Every row has a checksum of its key and value, which is compared whenever the row is read. It stands in a table of its
own, so that files of earlier versions go on being used as they are, also by those versions: a row without one is
taken as it is, once, and gets one then. A row that is damaged is as good as missing; what is left of it is kept in the
table ``damaged``.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from operator import eq
from pathlib import Path
from typing import Any, Self, TypeVar

from zlib_ng.zlib_ng import crc32

from text2image.base.console import InputError, one_line, say
from text2image.base.databases import (
    begin_file,
    check_schema,
    connect,
    connect_to_read,
    damaged_file,
    database_errors,
    integrity_problems,
    make_folder,
    make_tables,
    may_write,
)
from text2image.base.locks import waiting_lock

LOOKUP_KEYS = 500
GIVEN_AT_ONCE = 50_000  # rows of earlier versions that get their checksums in one transaction
ROWS = """SELECT results.rowid, key, CAST(value AS BLOB), CAST(checksum AS INTEGER)
FROM results LEFT JOIN checksums ON checksums.row = results.rowid WHERE """

Item = tuple[str, bytes]
"""A key and its value."""

T = TypeVar("T")


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


def checksum(key: str, value: bytes) -> int:
    """Return the CRC-32 of a key and its value: it differs for every change of up to 32 bits in a row.

    The key is part of it, so that a damaged index that leads to another row is noticed, too.
    """
    return crc32(value, crc32(key.encode()))


def are_whole(keys: Sequence[str], values: Sequence[bytes], known: Sequence[int]) -> bool:
    """Say whether all values are what their checksums say: most are, which this finds without a loop of Python's."""
    try:
        return all(map(eq, known, map(crc32, values, map(crc32, map(str.encode, keys)))))
    except TypeError:
        return False


class Store:
    """Bytes by key, in one SQLite file.

    Every :meth:`put` is one transaction: after a kill it is there whole or not at all. Several
    processes may read and write at once; two that put the same key agree by construction.

    Attributes:
        path: of the file.
        writable: whether this user may write to it. Where not, it can be read all the same.
    """

    def __init__(self, kind: str, determinants: Any, root: Path | None = None, *, paid: bool = False) -> None:
        """Open a space, and make it if it is not there.

        Args:
            kind: the folder that it lies in.
            determinants: everything but the key that determines a value; anything that JSON can say.
            root: the folder of all spaces, :func:`cache_root` by default.
            paid: whether what it holds costs money, which what is said of damaged rows tells.

        Raises:
            InputError: the file is damaged, locked, of a newer version or not a file of the store, or the disk is full.
        """
        root = root or cache_root()
        self.space, self._paid = (kind, determinants, root), paid
        about = json.dumps(determinants, sort_keys=True, ensure_ascii=False)
        self._open(root / kind / f"{fingerprint(determinants)}.sqlite", about)

    @classmethod
    def of_file(cls, path: Path, *, paid: bool = False) -> Self:
        """Open the file of a space, whatever determines it, to look at it."""
        store = cls.__new__(cls)
        store._paid = paid
        store._open(path)
        return store

    def _open(self, path: Path, about: str | None = None) -> None:
        self.path = path
        with database_errors(path):
            make_folder(path.parent)
            self.writable = may_write(path)
            self._db = connect(path) if self.writable else connect_to_read(path)
            try:
                if self.writable:
                    begin_file(self._db)
                check_schema(self._db, path)
                make_tables(self._db, temporary=not self.writable)
                if self.writable and about is not None:
                    self._db.execute("INSERT OR IGNORE INTO about VALUES (?)", (about,))
                    os.utime(path)  # when it was last used
            except BaseException:
                self._db.close()
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self._db.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """Have all of what a block writes on disk, or none of it."""
        with database_errors(self.path):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:  # where the disk is full, SQLite may have ended it
                    self._db.execute("ROLLBACK")
                raise

    def check_writable(self) -> None:
        """Raise an InputError if results cannot be kept, before they are computed."""
        if not self.writable:
            raise InputError(
                f"expected to be allowed to write to {self.path} and its folder, since it does not hold all that is needed, "
                "found that this user may not; allow it and run the same command again (what it holds can be read)"
            )

    def put(self, items: Iterable[Item]) -> None:
        """Keep all ``(key, value)`` or none of them; a key that is there is overwritten.

        Raises:
            InputError: the disk is full or does not take them, or another process has the file locked.
        """
        self.check_writable()
        sums, keys = list[tuple[int, int]](), set[str]()

        def numbered(last: int) -> Iterator[tuple[int, str, bytes]]:
            for row, (key, value) in enumerate(items, last + 1):
                sums.append((row, checksum(key, value)))
                keys.add(key)
                yield row, key, value

        with self._transaction():
            last = "SELECT max(ifnull((SELECT max(rowid) FROM results), 0), ifnull((SELECT max(row) FROM checksums), 0))"
            rows = numbered(self._db.execute(last).fetchone()[0])
            self._db.executemany("INSERT OR REPLACE INTO results (rowid, key, value) VALUES (?, ?, ?)", rows)
            self._db.executemany("INSERT INTO checksums VALUES (?, ?)", sums)
            self._check_found(list(keys))

    def _check_found(self, keys: Sequence[str]) -> None:
        """Raise an InputError if an index is damaged so that it does not lead to what was just put there."""
        for start in range(0, len(keys), LOOKUP_KEYS):
            some = keys[start : start + LOOKUP_KEYS]
            query = f"SELECT count(DISTINCT key) FROM results WHERE key IN ({','.join('?' * len(some))})"
            if self._db.execute(query, some).fetchone() != (len(some),):
                raise damaged_file(self.path, "an index that does not lead to what is there")

    def get(self, keys: Iterable[str]) -> Iterator[Item]:
        """Yield ``(key, value)`` for those ``keys`` that are there and whole.

        What is damaged is set aside in the end, and is missing from then on: look first, then compute what did not come.

        Raises:
            InputError: the file cannot be read, or damaged rows not be set aside.
        """
        return self._read(keys, bytes)

    def get_json(
        self, keys: Iterable[str], load: Callable[[bytes], Any] = json.loads
    ) -> Iterator[tuple[str, Any]]:
        """Yield ``(key, object)`` as :meth:`get` does, of values that are JSON; what is none counts as damaged.

        Args:
            keys: as of :meth:`get`.
            load: makes an object of a value, or raises a ValueError.
        """
        return self._read(keys, load)

    def _read(self, keys: Iterable[str], decode: Callable[[bytes], T]) -> Iterator[tuple[str, T]]:
        wanted = list(dict.fromkeys(keys))
        unknown, damaged = list[tuple[int, int, str]](), dict[int, str]()
        for rows in self._rows(wanted):
            if decode is bytes:
                _, found, values, sums = zip(*rows, strict=True)
                if are_whole(found, values, sums):
                    yield from zip(found, values, strict=True)
                    continue
            for row, key, value, known in rows:
                try:
                    actual = checksum(key, value)
                    if known not in (None, actual):
                        raise ValueError(key)
                    decoded = decode(value)
                except (TypeError, ValueError, RecursionError):
                    damaged[row] = key
                    continue
                if known is None:
                    unknown.append((row, actual, key))
                yield key, decoded
            if len(unknown) >= GIVEN_AT_ONCE:
                self._give_checksums(unknown)
                unknown.clear()
        self._give_checksums(unknown)
        self._set_aside(damaged)

    def _holds_any(self) -> bool:
        with database_errors(self.path):
            return self._db.execute("SELECT 1 FROM results LIMIT 1").fetchone() is not None

    def _rows(self, wanted: Sequence[str]) -> Iterator[list[Any]]:
        """Yield the rows (:data:`ROWS`) of keys, those of some at a time; no empty list."""
        for start in range(0, len(wanted) if self._holds_any() else 0, LOOKUP_KEYS):
            some = wanted[start : start + LOOKUP_KEYS]
            with database_errors(self.path):
                rows = self._db.execute(f"{ROWS} key IN ({','.join('?' * len(some))})", some).fetchall()
            if rows:
                yield rows

    def _give_checksums(self, rows: Sequence[tuple[int, int, str]]) -> None:
        """Give rows ``(row, checksum, key)`` of earlier versions one; where that fails, another run does."""
        if rows and self.writable:
            with suppress(InputError), self._transaction():
                self._db.executemany(
                    "INSERT OR IGNORE INTO checksums SELECT ?1, ?2 FROM results WHERE rowid = ?1 AND key = ?3",
                    rows,
                )

    def _set_aside(self, damaged: dict[int, str]) -> None:
        """Take damaged rows out of the results, keep what is left of them, and say so."""
        if not damaged:
            return
        if self.writable:
            with self._transaction():
                self._db.executemany(
                    "INSERT INTO damaged SELECT key, value, checksum, datetime() FROM results "
                    "LEFT JOIN checksums ON row = results.rowid WHERE results.rowid = ?",
                    [(row,) for row in damaged],
                )
                self._db.executemany("DELETE FROM results WHERE rowid = ?", [(row,) for row in damaged])
                self._db.execute("DELETE FROM checksums WHERE row NOT IN (SELECT rowid FROM results)")
        example = one_line(next(iter(damaged.values())) or "an unknown key", 80)
        which = f"{len(damaged):,}, such as that of {example}" if len(damaged) > 1 else f"that of {example}"
        again = "was paid for, and is asked for anew" if self._paid else "is computed anew"
        kept = (
            "in the file's table `damaged`"
            if self.writable
            else "where it is, since nothing may be written there"
        )
        say(
            f"expected the results in {self.path} to be what their checksums say, found damage to {which}: what was there "
            f"{again} when it is needed, and what is left of it stays {kept}"
        )

    def keys(self) -> list[str]:
        """Return all keys."""
        with database_errors(self.path):
            rows = self._db.execute("SELECT CAST(key AS BLOB) FROM results").fetchall()
        return [(key or b"").decode(errors="replace") for (key,) in rows]

    def count(self, table: str) -> int:
        """Return how many rows a table of :data:`TABLES` has."""
        with database_errors(self.path):
            count: int = self._db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            return count

    def damaged(self) -> Iterator[Item]:
        """Yield ``(key, value)`` of what is left of rows that were set aside as damaged, each once."""
        with database_errors(self.path):
            rows = self._db.execute("SELECT DISTINCT CAST(key AS BLOB), CAST(value AS BLOB) FROM damaged")
            for key, value in rows:
                yield (key or b"").decode(errors="replace"), value or b""

    def missing(self, keys: Iterable[str]) -> list[str]:
        """Return those ``keys`` that are not there, or not whole, in their order; reads all that is there."""
        wanted = list(keys)
        found = {key for key, _ in self.get(wanted)}
        return [key for key in wanted if key not in found]

    def fill(
        self, keys: Iterable[str], compute: Callable[[list[str]], Iterable[Iterable[Item]]]
    ) -> dict[str, Any]:
        """Return ``{key: object}`` of values that are JSON; what is not there is computed and kept batch by batch.

        Where another process computes for the same space, this one waits and looks again.

        Args:
            keys: in any order.
            compute: yields batches of ``(key, value)`` for those keys that are not there.
        """
        wanted = list(keys)
        objects = dict(self.get_json(wanted))
        if all(key in objects for key in wanted):
            return objects
        self.check_writable()
        with waiting_lock(self.path):
            objects |= self.get_json(key for key in wanted if key not in objects)
            if missing := [key for key in dict.fromkeys(wanted) if key not in objects]:
                for batch in compute(missing):
                    self.put(batch)
                objects |= self.get_json(missing)
        return objects

    def check(self) -> None:
        """Look through the whole file for damage, before what it does not seem to hold is paid for again.

        Raises:
            InputError: it is damaged.
        """
        with database_errors(self.path):
            if problems := integrity_problems(self._db):
                raise damaged_file(self.path, problems[0])
