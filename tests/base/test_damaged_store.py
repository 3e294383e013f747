"""A store whose files are damaged, of another kind or version, locked, full, or not to be written to: never a wrong value."""

import os
import random
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.support.long_form import CHAOS, SEED, announced, cases
from tests.support.pipeline import REPOSITORY
from tests.support.unprivileged import unprivileged
from text2image.base import databases
from text2image.base import spaces as base_spaces
from text2image.base.console import InputError
from text2image.base.locks import exclusive_lock, waiting_lock
from text2image.base.spaces import delete, repair, spaces, verify
from text2image.base.store import Store, fingerprint
from text2image.base.writer import Writer

BITS = cases(50)
RUNS = 5
PAGE_ROWS = 16  # that a page of a file holds
KIND, ABOUT = "things", {"model": "a"}
KEYS = [f"{number:016x}" for number in range(120)]
VALUES = {key: random.Random(key).randbytes(2048) for key in KEYS}


def filled(root: Path, *, before_checksums: bool = False) -> Path:
    """Make a space, and return its file; without checksums as earlier versions made it."""
    path = root / KIND / f"{fingerprint(ABOUT)}.sqlite"
    if before_checksums:
        path.parent.mkdir(parents=True)
        with closing(sqlite3.connect(path, isolation_level=None)) as db:
            db.execute("PRAGMA page_size = 32768")
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("CREATE TABLE results (key TEXT PRIMARY KEY, value BLOB)")
            db.execute("CREATE TABLE about (determinants TEXT PRIMARY KEY)")
            db.execute("""INSERT INTO about VALUES ('{"model": "a"}')""")
            db.executemany("INSERT OR REPLACE INTO results VALUES (?, ?)", VALUES.items())
        return path
    with Store(KIND, ABOUT, root) as store:
        store.put(VALUES.items())
    return path


def damage_value(path: Path, key: str) -> None:
    """Flip a bit in the middle of a value."""
    content = bytearray(path.read_bytes())
    content[content.index(VALUES[key][500:600])] ^= 4
    path.write_bytes(content)


def read(root: Path, paid: bool = False) -> dict[str, bytes]:
    with Store(KIND, ABOUT, root, paid=paid) as store:
        return dict(store.get(KEYS))


@pytest.mark.parametrize("before_checksums", [False, True])
def test_a_damaged_row_is_missing_said_and_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], before_checksums: bool
) -> None:
    path = filled(tmp_path, before_checksums=before_checksums)
    assert read(tmp_path) == VALUES, "rows of earlier versions are taken as they are, once"
    damage_value(path, KEYS[7])
    broken = path.read_bytes()
    with Store(KIND, ABOUT, tmp_path, paid=True) as store:
        assert dict(store.get(KEYS)) == {key: VALUES[key] for key in KEYS if key != KEYS[7]}
        said = capsys.readouterr().err
        assert said.count("\n") == 1
        assert (
            f"the results in {path} to be what their checksums say, found damage to that of {KEYS[7]}: what was there was paid for"
            in said
        )
        assert "is asked for anew when it is needed" in said and "table `damaged`" in said
        assert store.missing(KEYS) == [KEYS[7]]
        store.put([(KEYS[7], VALUES[KEYS[7]])])
        assert dict(store.get(KEYS)) == VALUES
    assert capsys.readouterr().err == ""
    with closing(sqlite3.connect(path)) as db:
        ((key, value),) = db.execute("SELECT CAST(key AS TEXT), value FROM damaged").fetchall()
    assert key == KEYS[7] and value in broken, "what was paid for is never lost"


def test_an_earlier_version_goes_on_with_a_file_and_its_rows_are_taken(tmp_path: Path) -> None:
    path = filled(tmp_path)
    with closing(sqlite3.connect(path, isolation_level=None)) as db:  # as it puts
        db.executemany("INSERT OR REPLACE INTO results VALUES (?, ?)", [(KEYS[0], b"new"), ("more", b"x")])
    with Store(KIND, ABOUT, tmp_path) as store:
        assert dict(store.get([KEYS[0], "more", KEYS[1]])) == {
            KEYS[0]: b"new", "more": b"x", KEYS[1]: VALUES[KEYS[1]],
        }  # fmt: skip
        assert store.count("damaged") == 0
        assert store.count("checksums") == len(KEYS) + 2, "one is left over of the row that was replaced"


def test_checksums_of_a_large_earlier_file_rewrite_nothing_of_it(tmp_path: Path) -> None:
    path = filled(tmp_path, before_checksums=True)
    pages = path.read_bytes()
    read(tmp_path)
    after = path.read_bytes()
    same = sum(
        pages[at : at + 32768] == after[at : at + 32768] for at in range(32768, len(pages), 32768)
    )  # but the first page, which names the tables
    assert same == len(pages) // 32768 - 1
    assert len(after) - len(pages) <= 4 * 32768


def test_the_row_of_another_key_is_no_value_of_this_one(tmp_path: Path) -> None:
    """As a damaged index leads to it: with a value and a checksum that belong together."""
    path = filled(tmp_path)
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        first, second = (
            db.execute("SELECT rowid FROM results WHERE key = ?", [key]).fetchone()[0] for key in KEYS[:2]
        )
        for table, column, row in (("results", "value", "rowid"), ("checksums", "checksum", "row")):
            one = f"SELECT {column} FROM {table} WHERE {row} = {first}"
            db.execute(f"UPDATE {table} SET {column} = ({one}) WHERE {row} = {second}")
    with Store(KIND, ABOUT, tmp_path) as store:
        assert dict(store.get(KEYS[:3])) == {key: VALUES[key] for key in (KEYS[0], KEYS[2])}


def test_what_is_no_json_is_damaged_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Store(KIND, ABOUT, tmp_path) as store:
        store.put([("good", b'{"a": 1}'), ("half", b'{"a": '), ("deep", b"[" * 100_000), ("raw", b"\xff")])
        assert dict(store.get_json(["good", "half", "deep", "raw"])) == {"good": {"a": 1}}
        assert (
            "found damage to 3, such as that of deep: what was there is computed anew"
            in capsys.readouterr().err
        )
        assert store.missing(["good", "half", "deep", "raw"]) == ["half", "deep", "raw"]


def test_what_is_damaged_is_computed_anew(tmp_path: Path) -> None:
    asked: list[list[str]] = []

    def compute(missing: list[str]) -> Iterator[list[tuple[str, bytes]]]:
        asked.append(missing)
        yield [(key, str(len(key)).encode()) for key in missing]

    with Store(KIND, ABOUT, tmp_path) as store:
        assert store.fill(["a", "bb", "a"], compute) == {"a": 1, "bb": 2}
        store.put([("bb", b"nonsense")])
        assert store.fill(["a", "bb", "ccc"], compute) == {"a": 1, "bb": 2, "ccc": 3}
    assert asked == [["a", "bb"], ["bb", "ccc"]]


@pytest.mark.parametrize("before_checksums", [False, True])
def test_no_flipped_bit_gives_a_wrong_value(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], before_checksums: bool
) -> None:
    """Of single bits in a file: the true values, those of damaged rows computed anew, or a sentence and a repair.

    ``make chaos`` flips more of them.
    """
    if CHAOS:
        with capsys.disabled():
            print(announced(f"{BITS} flipped bits"))
    whole = filled(tmp_path / "whole", before_checksums=before_checksums)
    assert read(tmp_path / "whole") == VALUES
    content, rng = whole.read_bytes(), random.Random(SEED)
    path = tmp_path / KIND / whole.name
    path.parent.mkdir()
    for _ in range(BITS):
        page = 32768 * rng.randrange(len(content) // 32768)
        anywhere, beginning = rng.randrange(len(content)), page + rng.randrange(300)
        byte, bit = rng.choice((anywhere, beginning, rng.randrange(100))), rng.randrange(8)
        flipped = bytearray(content)
        flipped[byte] ^= 1 << bit
        path.write_bytes(flipped)
        try:
            compute_what_is_missing(tmp_path)
        except InputError as error:
            assert "t2i store repair" in str(error) or "newer version" in str(error), (
                f"byte {byte}, bit {bit}"
            )
            (space,) = spaces(tmp_path / KIND)
            assert repair(space.path, keep_unchecked=False).whole >= len(KEYS) - PAGE_ROWS, (
                f"byte {byte}, bit {bit}"
            )
            compute_what_is_missing(tmp_path)
        for file in path.parent.iterdir():
            file.unlink()
    assert capsys.readouterr().err.count("found damage") >= BITS // 10, "many bits are in values"


def compute_what_is_missing(root: Path) -> None:
    """As runs do, one after the other: what is put may hide other rows where an index is damaged, which then come again."""
    with Store(KIND, ABOUT, root) as store:
        for _ in range(RUNS):
            whole = dict(store.get(KEYS))
            assert all(VALUES[key] == value for key, value in whole.items())
            if len(whole) == len(VALUES):
                return
            missing = {key: value for key, value in VALUES.items() if key not in whole}
            store.put(missing.items())
            assert dict(store.get(missing)) == missing, "what was just put"
        raise AssertionError(f"{len(missing)} are missing after every run")


def no_database(path: Path) -> None:
    path.write_text("This is no database, but a text.\n" * 100)


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def half(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def first_page(path: Path) -> None:
    os.truncate(path, 32768)


def some_bytes(path: Path) -> None:
    os.truncate(path, 50)


def zeros(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:40_000] + bytes(100_000) + content[140_000:])


def nothing_but_zeros(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def empty(path: Path) -> None:
    path.write_bytes(b"")


def newer(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 7")


def something_else(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE people (name TEXT)")


def other_columns(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE results (id INTEGER, text TEXT)")


def no_text_of_ours(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA encoding = 'UTF-16'")
        db.execute("CREATE TABLE results (key TEXT PRIMARY KEY, value BLOB)")


def link_to_nowhere(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.parent / "gone" / "file")


def file_for_folder(path: Path) -> None:
    shutil.rmtree(path.parent)
    path.parent.write_text("")


def file_for_root(path: Path) -> None:
    shutil.rmtree(path.parents[1])
    path.parents[1].write_text("")


def wrong_log(path: Path) -> None:
    path.with_name(f"{path.name}-wal").write_bytes(b"nonsense" * 5000)


BROKEN = (
    no_database, folder, half, first_page, some_bytes, zeros, nothing_but_zeros, empty, newer, something_else, other_columns,
    no_text_of_ours, link_to_nowhere, file_for_folder, file_for_root, wrong_log,
)  # fmt: skip


def write(root: Path) -> None:
    with Store(KIND, ABOUT, root) as store:
        store.put(VALUES.items())


def write_beside(root: Path) -> None:
    with Store(KIND, ABOUT, root) as store, Writer(store) as writer:
        writer.put(list(VALUES.items()))


def look_for_missing(root: Path) -> None:
    with Store(KIND, ABOUT, root) as store:
        store.missing(KEYS)


def look_at_all(root: Path) -> None:
    for space in spaces(root):
        if space.problem:
            raise space.problem
        verify(space.path, paid=False)


def lock(root: Path) -> None:
    with waiting_lock(file_of(root)), exclusive_lock(root / "other.sqlite"):
        pass


def repair_it(root: Path) -> None:
    repair(file_of(root), keep_unchecked=True)


def file_of(root: Path) -> Path:
    return root / KIND / f"{fingerprint(ABOUT)}.sqlite"


ACTIONS = (
    compute_what_is_missing, write, write_beside, look_for_missing, look_at_all, lock, repair_it,
    lambda root: delete(file_of(root)),
)  # fmt: skip


def one_sentence(root: Path, action: Callable[[Path], object]) -> str:
    """Return the sentence with which an action ends; nothing if it goes well."""
    try:
        action(root)
    except InputError as error:
        said = str(error)
        assert re.match("expected .*(found|at most)", said) and "\n" not in said and str(root) in said
        assert re.search(r"repair|move it away|upgrade|make room|run .* again|end that one", said), said
        return said
    return ""


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: broken.__name__)
def test_whatever_is_wrong_with_a_file_is_one_sentence(
    tmp_path: Path, broken: Callable[[Path], None]
) -> None:
    """Opening, reading, writing, locking, looking at all, repairing and deleting: one sentence, or all goes well."""
    for number, action in enumerate(ACTIONS):
        root = tmp_path / str(number)
        broken(filled(root))
        one_sentence(root, action)


def test_a_repair_keeps_all_that_is_whole_and_the_damaged_file(tmp_path: Path) -> None:
    path = filled(tmp_path)
    damage_value(path, KEYS[3])
    content = bytearray(path.read_bytes())
    content[:16] = b"no longer SQLite"
    content[-2 * 32768 :] = bytes(2 * 32768)
    path.write_bytes(content)
    with pytest.raises(InputError, match="t2i store repair"):
        read(tmp_path)
    repaired = repair(path, keep_unchecked=False)
    assert repaired.aside.read_bytes() == content, "nothing is lost"
    assert repaired.whole >= len(KEYS) // 2 and repaired.unchecked == 0
    whole = read(tmp_path)
    assert len(whole) == repaired.whole and KEYS[3] not in whole
    assert all(VALUES[key] == value for key, value in whole.items())
    with Store(KIND, ABOUT, tmp_path) as store:
        assert store.count("damaged") >= 1, "what is left of the row with the flipped bit"
    (space,) = spaces(tmp_path)
    assert (space.about, space.problem) == (ABOUT, None)


KILLED = """
import os, sys
from pathlib import Path
from text2image.base import spaces

def killed(new, path):
    os.kill(os.getpid(), 9)

Path.rename = Path.replace = killed
spaces.repair(Path(sys.argv[1]), keep_unchecked=False)
"""


def test_a_repair_that_is_killed_as_the_new_file_takes_its_place_leaves_the_damaged_one(
    tmp_path: Path,
) -> None:
    """A store that is not there is made anew, and what it held would be paid for again."""
    path = filled(tmp_path)
    damage_value(path, KEYS[3])
    content = path.read_bytes()
    done = subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False, cwd=REPOSITORY)
    assert done.returncode == -9
    assert path.read_bytes()[100:] == content[100:], "but for what its header says of the log"
    assert repair(path, keep_unchecked=False).whole == len(KEYS) - 1
    assert len(read(tmp_path)) == len(KEYS) - 1


def test_no_run_begins_to_ask_while_a_file_is_repaired(tmp_path: Path) -> None:
    path = filled(tmp_path)
    with (
        exclusive_lock(path),
        pytest.raises(InputError, match="expected no other run that asks for the same"),
    ):
        repair(path, keep_unchecked=False)
    assert len(read(tmp_path)) == len(KEYS)


def test_a_repair_keeps_rows_without_a_checksum_only_where_they_were_paid_for(tmp_path: Path) -> None:
    for keep in (False, True):
        path = filled(tmp_path / str(keep), before_checksums=True)
        with path.open("r+b") as file:
            file.write(b"no longer SQLite")
        assert repair(path, keep_unchecked=keep)[:2] == (0, len(KEYS) if keep else 0)
        assert read(tmp_path / str(keep)) == (VALUES if keep else {})


def test_before_paying_the_whole_file_is_looked_through(tmp_path: Path) -> None:
    """An index that no longer leads to an answer would have it paid for again."""
    path = filled(tmp_path)
    with Store(KIND, ABOUT, tmp_path) as store:
        store.check()
    content = bytearray(path.read_bytes())
    at = [match.start() for match in re.finditer(KEYS[5].encode(), content)]
    content[at[-1] + 15] ^= 1
    content[at[0] + 15] ^= 2  # one of these is in the index
    path.write_bytes(content)
    with Store(KIND, ABOUT, tmp_path) as store, pytest.raises(InputError, match=r"index.*t2i store repair"):
        store.check()


def test_a_space_is_deleted_from_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whose files could not go if SQLite's own preparations, which write, had to succeed."""

    class Full(sqlite3.Connection):
        def execute(self, sql: str, *arguments: Any) -> sqlite3.Cursor:
            error = sqlite3.OperationalError("database or disk is full")
            error.sqlite_errorcode = sqlite3.SQLITE_FULL
            raise error

    path = filled(tmp_path)
    monkeypatch.setattr(base_spaces, "connect", lambda path, timeout: sqlite3.connect(path, factory=Full))
    assert delete(path)
    assert list(path.parent.iterdir()) == []


def test_a_file_that_another_process_has_locked_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = filled(tmp_path)
    monkeypatch.setattr(databases, "TIMEOUT_S", 0.1)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        for action in (write, write_beside, compute_what_is_missing, look_for_missing, look_at_all):
            assert "another process has it locked" in one_sentence(tmp_path, action)
        assert "expected no process that uses" in one_sentence(tmp_path, repair_it)
        assert not delete(path)
    assert read(tmp_path) == VALUES


def test_a_file_is_locked_while_a_writer_of_its_own_thread_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = filled(tmp_path)
    monkeypatch.setattr(databases, "TIMEOUT_S", 0.1)
    with Store(KIND, ABOUT, tmp_path) as store, closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(InputError, match="another process has it locked"), Writer(store) as writer:
            writer.put([("k", b"v")])


OTHER_USER = """
import os, sys
from pathlib import Path
from tests.base.test_damaged_store import *
root = Path(sys.argv[1])
assert not os.access(root / KIND, os.W_OK)
for expression in sys.argv[2:]:
    print(eval(expression))
"""


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[Path]:
    """A folder whose permissions are given back in the end."""
    yield tmp_path
    for folder, _, _ in os.walk(tmp_path):
        Path(folder).chmod(0o755)


def as_other_user(root: Path, *expressions: str) -> list[str]:
    """Return what expressions give for a user who may not write to the spaces below ``root``."""
    done = subprocess.run(
        [sys.executable, "-c", OTHER_USER, str(root), *expressions],
        capture_output=True, text=True, check=False, timeout=60, preexec_fn=unprivileged,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_a_store_that_may_not_be_written_to_is_read(shared: Path) -> None:
    path = filled(shared)
    damage_value(path, KEYS[9])
    path.chmod(0o444)
    path.parent.chmod(0o555)
    shared.chmod(0o555)
    read_, seen, *refused, verified, locked, new, other = as_other_user(
        shared, "len(read(root))", "[space.entries for space in spaces(root)]",
        *(f"one_sentence(root, {action})" for action in ("write", "write_beside", "compute_what_is_missing")),
        "verify(next(spaces(root)).path, paid=False)[2]", "one_sentence(root, lock)",
        "Store('things', 'new', root).missing(['k'])", "Store('others', 'new', root).missing(['k'])",
    )  # fmt: skip
    assert (read_, seen, verified) == (str(len(KEYS) - 1), f"[{len(KEYS)}]", "1")
    assert len(refused) == 3 and all("expected to be allowed to write" in said for said in refused)
    assert "make room or allow it" in locked
    assert new == other == "['k']", "a space that is not there cannot be made, and has nothing"


def test_a_store_of_an_earlier_version_that_may_not_be_written_to_is_read(shared: Path) -> None:
    path = filled(shared, before_checksums=True)
    path.parent.chmod(0o555)
    assert as_other_user(shared, "read(root) == VALUES") == ["True"]


def test_a_store_that_a_process_writes_is_read_by_who_may_not(shared: Path) -> None:
    """What it has written lies in a write-ahead log as yet."""
    with Store(KIND, ABOUT, shared) as store:
        store.put(VALUES.items())
        (shared / KIND).chmod(0o555)
        assert as_other_user(shared, "read(root) == VALUES") == ["True"]


def test_what_may_not_be_read_is_named(shared: Path) -> None:
    path = filled(shared)
    path.chmod(0o000)
    path.parent.chmod(0o555)
    assert "a file at" in as_other_user(shared, "one_sentence(root, read)")[0]
    path.parent.chmod(0o000)
    for said in as_other_user(shared, "one_sentence(root, look_at_all)", "one_sentence(root, read)"):
        assert "Permission denied" in said, "a folder that is closed does not count as one without results"
