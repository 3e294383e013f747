"""SQLite files: how they are opened, the store's tables in them, and what is wrong with one, in a sentence that says what
to do.

``results`` and ``about`` are the tables of the first version, which had no checksums: its files go on being used as they
are, also by it, since all that came later stands in tables of its own.

A file in a folder that may not be written to is opened for reading alone, so that a checkout on a read-only disk can be
searched.

Source: https://www.sqlite.org/wal.html ("Read-Only Databases") and https://www.sqlite.org/uri.html (``immutable``).
"""

import errno
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from os import R_OK, W_OK, access
from pathlib import Path

from text2image.base.console import InputError, one_line

TIMEOUT_S = 60.0  # to wait for other processes
NOT_WRITTEN = {
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PERM,
}
"""What SQLite says where the disk is full, or does not take what is written for another reason."""

LOCKED = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL}
"""What it says where another process does not let go of a file."""

PAGE_BYTES = 32768  # an embedding of 2 KB in pages of 4 KB would waste half the disk; 64 KB are slow to write

SCHEMA = 1
"""Version of the tables; files of the first version, which had no checksums, say 0 and are as good."""

TABLES = {
    "results": "key TEXT PRIMARY KEY, value BLOB",
    "about": "determinants TEXT PRIMARY KEY",
    "checksums": "row INTEGER PRIMARY KEY, checksum INTEGER",
    "damaged": "key BLOB, value BLOB, checksum INTEGER, noticed TEXT",
}
"""Tables and their columns; ``row`` is the ``rowid`` of a row of results, which is never used again."""


class DamagedFile(InputError):
    """A file of the store is damaged, so that `t2i store repair` is what helps."""


def damaged_file(path: Path, damage: str) -> DamagedFile:
    """Return the error on a file that is no whole SQLite file of ours; ``damage`` says what is there instead."""
    return DamagedFile(
        f"expected {path} to be a whole file of the store, found: {damage}; `t2i store repair` keeps all of it that is "
        "whole and sets the file aside, and what is lost is computed anew, or asked for anew"
    )


def is_locked(error: sqlite3.Error) -> bool:
    """Say whether an error of SQLite's means that another process holds the file."""
    return primary_code(error) in LOCKED


def primary_code(error: sqlite3.Error) -> int | None:
    """Return SQLite's primary result code of an error; None for an error of the module ``sqlite3`` itself."""
    code: int | None = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF


@contextmanager
def database_errors(path: Path) -> Iterator[None]:
    """Say in one sentence what is wrong with a SQLite file that a block opens, reads or writes.

    Raises:
        InputError: in place of an error of SQLite's or of the system's. A wrong use of the module ``sqlite3`` is a
            defect, and keeps its traceback.
    """
    try:
        yield
    except OSError as error:
        raise InputError(_wrong_kind(path) or _disk(path, error.strerror or str(error))) from None
    except sqlite3.Error as error:
        code = primary_code(error)
        is_text_that_is_no_utf8 = isinstance(error, sqlite3.OperationalError)
        if code is None and not is_text_that_is_no_utf8:
            raise
        if wrong := _wrong_kind(path):
            raise InputError(wrong) from None
        raise _input_error(path, error, code) from None


def _wrong_kind(path: Path) -> str:
    """Say what stands where a file or one of its folders should; nothing if they are what they should be."""
    with suppress(OSError):  # of a folder that may not be looked into, the error itself says more
        if path.is_dir():
            return f"expected a SQLite file at {path}, found a folder; move it away and run the same command again"
        for folder in path.parents:
            if folder.exists() and not folder.is_dir():
                return f"expected a folder at {folder}, found a file; move it away and run the same command again"
        if path.exists() and not access(path, R_OK):
            return (
                f"expected a file at {path} that this user may read, found one that only others may; allow it "
                "(`chmod`, `chown`) and run the same command again"
            )
    return ""


def _input_error(path: Path, error: sqlite3.Error, code: int | None) -> InputError:
    if code in LOCKED:
        return InputError(
            f"expected {path} to be free within {TIMEOUT_S:g} s, found that another process has it locked ({error}); "
            "end that one, or wait for it, and run the same command to go on: what was written before is kept"
        )
    if code in NOT_WRITTEN and not (code == sqlite3.SQLITE_READONLY and may_write(path)):
        return InputError(_disk(path, str(error)))
    return damaged_file(path, str(error))  # a damaged header may say that nobody may write, too


def _disk(path: Path, found: str) -> str:
    return (
        f"expected a disk that takes what is written to {path}, found: {found}; make room or allow it, and run the "
        "same command to go on: what was written before is kept"
    )


def may_write(path: Path) -> bool:
    """Say whether a SQLite file with a write-ahead log may be written to, or made: its folder must allow it, too."""
    return access(path.parent, W_OK) and (not path.exists() or access(path, W_OK))


def connect(path: Path, timeout: float | None = None) -> sqlite3.Connection:
    """Return a connection to a file that may be written to, and makes it if it is not there."""
    return sqlite3.connect(path, timeout=TIMEOUT_S if timeout is None else timeout, isolation_level=None)


def connect_to_read(path: Path) -> sqlite3.Connection:
    """Return a connection to a file that may not be written to; to an empty database if there is none.

    A write-ahead log that a killed process left is read if the file that SQLite indexes it by is there; else its
    transactions are not seen.
    """
    if not path.exists():
        return sqlite3.connect(":memory:", isolation_level=None)
    for options in ("mode=ro", "mode=ro&immutable=1"):
        address = f"{path.absolute().as_uri()}?{options}"
        db = sqlite3.connect(address, uri=True, timeout=TIMEOUT_S, isolation_level=None)
        try:
            db.execute("SELECT 1 FROM sqlite_master").fetchone()
            break
        except sqlite3.OperationalError as error:
            db.close()
            cannot_be_shared = primary_code(error) in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY)
            if not cannot_be_shared or "immutable" in options:
                raise
    return db


def make_folder(folder: Path) -> None:
    """Make a folder where that is allowed."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise


def begin_file(db: sqlite3.Connection) -> None:
    """Have a new file use a write-ahead log; wait for others that do the same, for which SQLite itself does not."""
    db.execute(f"PRAGMA page_size = {PAGE_BYTES}")
    until = time.monotonic() + TIMEOUT_S
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL")
            break
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
        time.sleep(0.01)
    db.execute("PRAGMA synchronous = NORMAL")


def make_tables(db: sqlite3.Connection, *, temporary: bool = False) -> None:
    """Make the tables that a file lacks; in memory where it may not be written to."""
    for name, columns in TABLES.items():
        if db.execute(f"PRAGMA table_info({name})").fetchone() is None:
            db.execute(f"CREATE {'TEMP ' * temporary}TABLE IF NOT EXISTS {name} ({columns})")
    if not temporary and db.execute("PRAGMA user_version").fetchone() == (0,):
        db.execute(f"PRAGMA user_version = {SCHEMA}")


def check_schema(db: sqlite3.Connection, path: Path) -> None:
    """Raise an InputError if a file is of a newer version, or has something in it that no version ever made."""
    (version,), (encoding,) = (
        db.execute(f"PRAGMA {name}").fetchone() for name in ("user_version", "encoding")
    )
    if version > SCHEMA:
        raise InputError(
            f"expected {path} to have the tables of version {SCHEMA} or earlier, found version {version}, which a newer "
            "version of this project made; upgrade it (`pip install --upgrade`), or move the file away to begin anew"
        )
    query = "SELECT CAST(name AS BLOB) FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    names = {name.decode(errors="replace") for (name,) in db.execute(query)}
    if version < 0 or encoding != "UTF-8" or names - TABLES.keys() or (names and "results" not in names):
        found = f"texts as {encoding}" if encoding != "UTF-8" else f"the tables {', '.join(sorted(names))}"
        raise damaged_file(path, one_line(found, 80))


def integrity_problems(db: sqlite3.Connection) -> list[str]:
    """Return what SQLite finds wrong in a whole file, in its words; nothing if it is sound."""
    return [one_line(text) for (text,) in db.execute("PRAGMA integrity_check(5)") if text != "ok"]
