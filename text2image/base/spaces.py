"""The files of the store as such: what lies in them, whether they are whole, and how they go or are mended."""

import json
import os
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

from text2image.base.console import InputError
from text2image.base.databases import (
    PAGE_BYTES,
    begin_file,
    check_schema,
    connect,
    connect_to_read,
    database_errors,
    is_locked,
    make_tables,
    may_write,
    primary_code,
)
from text2image.base.locks import exclusive_lock
from text2image.base.store import Store, checksum, fingerprint

TABLE_LEAF = b"\x0d"
"""The byte with which a page begins that holds rows."""

HEADER = 100
"""Bytes at the beginning of a SQLite file that say what it is (https://www.sqlite.org/fileformat.html)."""


class Space(NamedTuple):
    """A space of the store; ``used`` is when it was last opened, in seconds since 1970.

    ``problem`` says why a file, or a folder of them, cannot be read, and is a :class:`DamagedFile` where a repair
    helps; nothing of the rest is known then but its bytes, and of a folder not even these.
    """

    kind: str
    path: Path
    about: Any
    entries: int
    bytes: int
    used: float
    problem: InputError | None = None


def spaces(root: Path) -> Iterator[Space]:
    """Yield every space below ``root``, sorted by kind, without counting as a use of it."""
    closed: list[Space] = []

    def unreadable(error: OSError) -> None:
        folder = Path(error.filename)
        problem = InputError(
            f"expected a folder at {folder} that this user may read, found: {error.strerror}; allow it (`chmod`, `chown`) "
            "or move it away, and run the same command again"
        )
        if not isinstance(error, FileNotFoundError):
            closed.append(Space(folder.relative_to(root).as_posix(), folder, None, 0, 0, 0.0, problem))

    names = [
        Path(folder) / name
        for folder, folders, files in os.walk(root, onerror=unreadable)
        for name in (*files, *folders)
    ]
    for path in sorted(path for path in names if path.suffix == ".sqlite"):
        yield _space(root, path)
    yield from closed


def _space(root: Path, path: Path) -> Space:
    kind = path.parent.relative_to(root).as_posix()
    used, size = 0.0, 0
    try:
        with database_errors(path):
            used = path.stat().st_mtime
            size = sum(file.stat().st_size for file in path.parent.glob(f"{path.name}*"))
            with closing(connect(path) if may_write(path) else connect_to_read(path)) as db:
                check_schema(db, path)
                if db.execute("SELECT 1 FROM sqlite_master WHERE name = 'results'").fetchone() is None:
                    return Space(kind, path, None, 0, size, used)  # a process was killed as it made the file
                (entries,) = db.execute("SELECT count(*) FROM results").fetchone()
                rows = db.execute("SELECT CAST(determinants AS BLOB) FROM about").fetchall()
    except InputError as error:
        return Space(kind, path, None, 0, size, used, error)
    return Space(kind, path, _about(path, [row for (row,) in rows]), entries, size, used)


def _about(path: Path, rows: list[Any]) -> Any:
    """Return what determines a space, of what its file says of it: that which has its name."""
    for row in rows:
        with suppress(ValueError, TypeError, RecursionError):
            about = json.loads(row)
            if fingerprint(about) == path.stem or len(rows) == 1:
                return about
    return None


def delete(path: Path) -> bool:
    """Delete a space unless a process has it open, and say whether it is gone.

    Raises:
        InputError: the file is damaged, or this user may not delete it.
    """
    with database_errors(path), closing(connect(path, timeout=0)) as db:
        if not _alone(db):
            return False
        for file in path.parent.glob(f"{path.stem}.*"):
            file.unlink(missing_ok=True)
    return True


def _alone(db: sqlite3.Connection) -> bool:
    """Say whether nobody else has a file open, and keep others out of it."""
    try:
        db.execute("PRAGMA journal_mode = DELETE")  # refused while anybody else is connected
        db.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError as error:
        if is_locked(error):
            return False
        # A full disk is told only to who is alone, and must not keep anybody from making room.
        return fills_the_disk(error)
    return True


def fills_the_disk(error: sqlite3.Error) -> bool:
    """Say that an error is that of a full disk; any other is raised."""
    if primary_code(error) != sqlite3.SQLITE_FULL:
        raise error
    return True


class Verified(NamedTuple):
    """What a look at every row of a space found.

    Attributes:
        entries: rows that are whole.
        new: how many of these had no checksum, as earlier versions wrote none, and got one.
        damaged: rows that were not, and are kept in the table ``damaged`` now, if the file may be written to.
        aside: rows in that table, these and those of earlier times.
    """

    entries: int
    new: int
    damaged: int
    aside: int


def verify(path: Path, paid: bool) -> Verified:
    """Look at a whole file of a space: at every row, and at how they hang together.

    Args:
        path: of the file.
        paid: whether it holds what was paid for.

    Raises:
        InputError: the file is damaged elsewhere than in its rows.
    """
    with Store.of_file(path, paid=paid) as store:
        total, checked = store.count("results"), store.count("checksums")
        entries = sum(1 for _ in store.get(store.keys()))
        store.check()
        new = store.count("checksums") - checked + total - entries
        return Verified(entries, max(0, new), total - entries, store.count("damaged"))


BESIDE = ("-wal", "-journal")
"""Ends of the names of files that belong to a SQLite file."""


class Repaired(NamedTuple):
    """What a repair kept: rows that are whole, and rows that have no checksum; and where the damaged file is now."""

    whole: int
    unchecked: int
    aside: Path


def repair(path: Path, keep_unchecked: bool) -> Repaired:
    """Make a new file of all rows of a damaged one that can still be read, and set the damaged one aside, beside it.

    Args:
        path: of the file.
        keep_unchecked: whether rows without a checksum count as results, of which nobody can tell whether they are whole.
            Otherwise they are kept in the table ``damaged``, like those that are not what their checksum says.

    Raises:
        InputError: a process has it open or asks for its answers, or the disk does not take the new file.
    """
    new, aside = path.with_suffix(".repaired"), _free_name(path)
    with exclusive_lock(path), database_errors(path):  # no run may begin to write to what is set aside
        with closing(connect(path, timeout=0)) as db, suppress(*BROKEN):
            if not _alone(db):
                raise InputError(
                    f"expected no process that uses {path}, found one; run the same command again when it has ended"
                )
        new.unlink(missing_ok=True)
        with closing(connect(new)) as made:
            begin_file(made)
            make_tables(made)
            made.execute("BEGIN")
            whole, unchecked = _salvage(path, made, keep_unchecked)
            made.execute("COMMIT")
            # Leaves no other file that would have to be renamed, too.
            made.execute("PRAGMA journal_mode = DELETE")
        for end in ("", *BESIDE):
            _keep_aside(path.with_name(path.name + end), aside.with_name(aside.name + end))
        for end in (*BESIDE, "-shm"):
            path.with_name(path.name + end).unlink(missing_ok=True)
        new.replace(path)
    return Repaired(whole, unchecked, aside)


def _free_name(path: Path) -> Path:
    """Return a name for a damaged file: by the time, and a number where a repair of the same second has it."""
    stamp = f".damaged-{time.strftime('%Y%m%d-%H%M%S')}"
    names = (path.with_suffix(stamp + (f"-{number}" if number else "")) for number in count())
    return next(name for name in names if not name.exists())


def _keep_aside(path: Path, aside: Path) -> None:
    """Have a file, if there is one, under a second name: a kill must leave it where it is until the new one takes its place."""
    try:
        aside.hardlink_to(path)
    except FileNotFoundError:
        return
    except OSError:  # of a file system without hard links
        if aside.exists():
            raise
        shutil.copy2(path, aside)


def _salvage(path: Path, made: sqlite3.Connection, keep_unchecked: bool) -> tuple[int, int]:
    """Write all rows that can be read into a new file; return how many are whole, and how many have no checksum."""
    counts = {True: 0, False: 0}
    for key, value, known in _readable_rows(path):
        readable = isinstance(key, bytes) and isinstance(value, bytes)
        text = key.decode(errors="replace") if readable else ""
        whole = readable and known == checksum(text, value)
        if whole or (readable and keep_unchecked and known is None):
            counts[whole] += _keep(made, text, value)
        else:
            made.execute("INSERT INTO damaged VALUES (?, ?, ?, datetime())", (key, value, known))
    return counts[True], counts[False]


BROKEN = (sqlite3.DatabaseError, MemoryError, UnicodeDecodeError)
"""What reading a damaged file may raise."""

ROWIDS = (
    "SELECT rowid FROM results WHERE key NOTNULL AND value NOTNULL",
    "SELECT rowid FROM results ORDER BY rowid DESC",
    "SELECT rowid FROM results INDEXED BY sqlite_autoindex_results_1",
    "SELECT row FROM checksums WHERE checksum NOTNULL",
)
"""Ways to the rows of a file, each of which may end at what is damaged."""


def _keep(db: sqlite3.Connection, key: str, value: bytes) -> bool:
    """Add a row to a new file; say whether there was none of its key."""
    done = db.execute("INSERT OR IGNORE INTO results VALUES (?, ?)", (key, value))
    if done.rowcount:
        sums = (done.lastrowid, checksum(key, value))
        db.execute("INSERT INTO checksums VALUES (?, ?)", sums)
    return bool(done.rowcount)


def _readable_rows(path: Path) -> Iterator[tuple[Any, Any, Any]]:
    """Yield key, value and checksum, or None where one is not there, of all rows that can be got at; some twice."""
    copy = path.with_suffix(".copy")
    try:
        for mended in (0, HEADER):
            with closing(connect(_with_a_new_beginning(path, copy, mended) if mended else path)) as db:
                rowids, complete = _rowids(db)
                for row in sorted(rowids):
                    yield from _row(db, row)
                with suppress(*BROKEN):
                    yield from db.execute("SELECT key, value, NULL FROM damaged").fetchall()
            if complete:
                return
        yield from _rows_of_pages(_with_a_new_beginning(path, copy, PAGE_BYTES))
    finally:
        for file in path.parent.glob(f"{copy.name}*"):
            file.unlink()


def _rows_of_pages(copy: Path) -> Iterator[tuple[Any, Any, Any]]:
    """Yield key, value and checksum of the rows of every page, whether or not anything still leads to it.

    What a page is begins with a byte (https://www.sqlite.org/fileformat.html, "B-tree Pages"). SQLite itself reads each
    page, as if it were all of the table.

    Args:
        copy: of the file, whose first page is that of a new one; it is changed.
    """
    with copy.open("rb") as file:
        pages = range(1, copy.stat().st_size // PAGE_BYTES)
        leaves = [page + 1 for page in pages if file.seek(page * PAGE_BYTES) and file.read(1) == TABLE_LEAF]
    sums: dict[int, int] = {}
    for page in leaves:
        sums |= {
            row: int(value)
            for row, key, kind, value in _rows_of(copy, page)
            if (key, kind) == (None, "integer")
        }
    for page in leaves:
        for row, key, kind, value in _rows_of(copy, page):
            if (key, kind) != (None, "integer"):
                yield key, value, sums.get(row)


def _rows_of(copy: Path, page: int) -> list[tuple[int, Any, str, Any]]:
    """Return the rows of a page: their rowids, first columns, and kinds and bytes of their second."""
    rows: list[tuple[int, Any, str, Any]] = []
    with suppress(*BROKEN), closing(connect(copy)) as db:
        db.execute("PRAGMA synchronous = OFF")
        db.execute("PRAGMA writable_schema = ON")
        db.execute("UPDATE sqlite_master SET rootpage = ? WHERE name = 'results'", (page,))
        db.execute("PRAGMA writable_schema = RESET")  # which reads anew where tables are
        query = "SELECT rowid, CAST(key AS BLOB), typeof(value), CAST(value AS BLOB) FROM results NOT INDEXED"
        rows.extend(db.execute(query))
    return rows


def _with_a_new_beginning(path: Path, copy: Path, length: int) -> Path:
    """Copy a file with so many bytes of a new file of ours at its beginning: its header, or all of its first page."""
    shutil.copyfile(path, copy)
    model = copy.with_suffix(".model")
    with closing(connect(model)) as db:
        begin_file(db)
        make_tables(db)
        db.execute("PRAGMA journal_mode = DELETE")
    beginning = bytearray(model.read_bytes()[:length])
    model.unlink()
    beginning[28:32] = (copy.stat().st_size // PAGE_BYTES).to_bytes(4, "big")  # the size of the file in pages
    with copy.open("r+b") as file:
        file.write(beginning)
    return copy


def _rowids(db: sqlite3.Connection) -> tuple[set[int], bool]:
    """Return the rowids of all rows that something leads to, and whether nothing on the ways to them is damaged."""
    found: set[int] = set()
    complete = True
    for query in ROWIDS:
        try:
            for (row,) in db.execute(query):
                if isinstance(row, int):
                    found.add(row)
        except BROKEN:
            complete = False
    return found, complete


def _row(db: sqlite3.Connection, row: int) -> Iterator[tuple[Any, Any, Any]]:
    known = None
    with suppress(*BROKEN):
        (known,) = db.execute(
            "SELECT CAST(checksum AS INTEGER) FROM checksums WHERE row = ?", (row,)
        ).fetchone() or (None,)
    with suppress(*BROKEN):
        query = "SELECT CAST(key AS BLOB), CAST(value AS BLOB) FROM results WHERE rowid = ?"
        for key, value in db.execute(query, (row,)).fetchall():
            yield key, value, known
