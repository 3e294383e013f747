"""The store of costly results: whole or not at all, shared between processes."""

import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from text2image.base.console import InputError
from text2image.base.locks import exclusive_lock
from text2image.base.spaces import spaces
from text2image.base.store import Store, cache_root, fingerprint
from text2image.base.writer import Writer


def test_what_is_put_comes_back(tmp_path: Path) -> None:
    keys = [f"{number:016x}" for number in range(1200)]
    with Store("things", {"model": "a"}, tmp_path) as store:
        store.put((key, key.encode()) for key in keys[:1000])
        assert store.missing(keys) == keys[1000:]
    with Store("things", {"model": "a"}, tmp_path) as store:
        assert dict(store.get(keys)) == {key: key.encode() for key in keys[:1000]}


def test_a_new_space_may_be_opened_several_times_at_once(tmp_path: Path) -> None:
    together = threading.Barrier(8, timeout=20)

    def open_new(space: int) -> list[str]:
        together.wait()
        with Store("things", space, tmp_path) as store:
            return store.missing(["k"])

    for space in range(100):
        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(open_new, [space] * 8)) == [["k"]] * 8


def test_other_determinants_are_another_space(tmp_path: Path) -> None:
    with Store("things", {"model": "a"}, tmp_path) as store:
        store.put([("k", b"v")])
    with Store("things", {"model": "b"}, tmp_path) as store:
        assert store.missing(["k"]) == ["k"]
    assert fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1})


def test_a_failing_put_leaves_nothing(tmp_path: Path) -> None:
    def items() -> Iterator[tuple[str, bytes]]:
        yield "k", b"v"
        raise RuntimeError("interrupted")

    with Store("things", {}, tmp_path) as store:
        with pytest.raises(RuntimeError):
            store.put(items())
        assert store.missing(["k"]) == ["k"]


WRITER = """
import sys
from pathlib import Path
from text2image.base.store import Store
with Store("things", {}, Path(sys.argv[1])) as store:
    for number in range(int(sys.argv[2]), 10**9):
        store.put([(f"{number}-{part}", b"x" * 2048) for part in range(8)])
        print(number, flush=True)
"""


def test_killed_writers_leave_whole_batches(tmp_path: Path) -> None:
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path), str(start)], stdout=subprocess.PIPE)
        for start in (0, 10**6)
    ]
    for writer in writers:
        assert writer.stdout is not None
        for _ in range(20):
            writer.stdout.readline()
    time.sleep(0.05)
    for writer in writers:
        writer.send_signal(signal.SIGKILL)
        writer.communicate()
    with Store("things", {}, tmp_path) as store:
        for start in (0, 10**6):
            for number in range(start, start + 20):
                assert store.missing(f"{number}-{part}" for part in range(8)) == []
        batches = [number for number in range(2000) if not store.missing([f"{number}-0"])]
        for number in batches:
            assert store.missing(f"{number}-{part}" for part in range(8)) == []


def test_what_a_full_disk_does_not_take_is_one_sentence(tmp_path: Path) -> None:
    with Store("things", {}, tmp_path) as store:
        store.put([("first", b"kept")])
        store._db.execute("PRAGMA max_page_count = 8")  # what SQLite then says, it says of a full disk
        with pytest.raises(
            InputError, match=r"expected a disk that takes .*\.sqlite, found: .*full; make room"
        ):
            store.put((f"{number}", b"x" * 30_000) for number in range(20))
        assert dict(store.get(["first", "0", "19"])) == {"first": b"kept"}, "the others whole or not at all"
        store._db.execute("PRAGMA max_page_count = 1000")
        store.put([("later", b"v")])
        assert store.missing(["later"]) == []


def test_a_writer_has_written_all_when_its_block_ends(tmp_path: Path) -> None:
    with Store("things", {}, tmp_path) as store:
        with Writer(store) as writer:
            for number in range(50):
                writer.put([(f"{number}-{part}", b"v") for part in range(4)])
                assert store.missing([f"{done}-0" for done in range(number)]) == [], "but one that waits"
        assert store.missing([f"{number}-{part}" for number in range(50) for part in range(4)]) == []


def test_what_comes_while_a_writer_writes_is_one_transaction(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go, sizes = threading.Event(), threading.Event(), list[int]()
    put = Store.put

    def slow(store: Store, items: Iterable[tuple[str, bytes]]) -> None:
        some = list(items)
        sizes.append(len(some))
        begun.set()
        assert go.wait(20)
        put(store, some)

    monkeypatch.setattr(Store, "put", slow)
    with Store("things", {}, tmp_path) as store:
        with Writer(store, ahead=100) as writer:
            writer.put([("0", b"v")])
            assert begun.wait(20)
            for number in range(1, 100):
                writer.put([(str(number), b"v")])
            go.set()
        assert sizes == [1, 99]
        assert store.missing(map(str, range(100))) == []


def test_an_error_leaves_what_a_writer_was_given(tmp_path: Path) -> None:
    with Store("things", {}, tmp_path) as store:
        with pytest.raises(KeyboardInterrupt), Writer(store, ahead=9) as writer:
            for number in range(5):
                writer.put([(str(number), b"v")])
            raise KeyboardInterrupt
        assert store.missing(map(str, range(5))) == []


BESIDE = """
import sys
from pathlib import Path
from text2image.base.store import Store
from text2image.base.writer import Writer
with Store("things", {}, Path(sys.argv[1])) as store, Writer(store) as writer:
    for number in range(10**9):
        writer.put([(f"{number}-{part}", b"x" * 2048) for part in range(64)])
        print(number, flush=True)
"""


def test_a_kill_takes_one_batch_that_a_writer_has_accepted(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", BESIDE, str(tmp_path)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    for _ in range(20):
        process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    rest, _ = process.communicate()
    accepted = 20 + rest.count(b"\n")
    with Store("things", {}, tmp_path) as store:
        absent = store.missing(f"{number}-{part}" for number in range(accepted) for part in range(64))
        assert absent in ([], [f"{accepted - 1}-{part}" for part in range(64)])
        assert len(store.missing(f"{accepted}-{part}" for part in range(64))) in (0, 64)


LIMITED = """
import resource, sys
from pathlib import Path
from text2image.base import console
from text2image.base.store import Store
from text2image.base.writer import Writer
def main():
    with Store("things", {}, Path(sys.argv[1])) as store, Writer(store) as writer:
        writer.put([("first", b"kept")])
        writer.put([("second", b"kept")])
        resource.setrlimit(resource.RLIMIT_FSIZE, (10**6, 10**6))
        for number in range(10**4):
            writer.put([(f"{number}-{part}", b"x" * 2048) for part in range(64)])
console.run(main)
"""


def test_a_writer_that_cannot_write_ends_the_run_with_one_sentence(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path)],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 1
    assert re.fullmatch(
        r"error: expected a disk that takes .*, found: disk I/O error; make room or .*\n", done.stderr
    )
    with Store("things", {}, tmp_path) as store:
        assert dict(store.get(["first", "second"])) == {"first": b"kept", "second": b"kept"}


def test_a_store_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    script = LIMITED.replace(
        "    with Store(", "    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n    with Store("
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 1
    assert re.fullmatch(
        r"error: expected a disk that takes .*, found: disk I/O error; make room or .*\n", done.stderr
    )


SHARER = """
import sys
from pathlib import Path
from text2image.base.store import Store
keys = [f"{number}" for number in range(400)]
mine = keys if sys.argv[2] == "0" else keys[::-1]
with Store("things", {"model": "new"}, Path(sys.argv[1])) as store:
    for start in range(0, len(keys), 8):
        some = store.missing(mine[start : start + 8])
        store.put((key, key.encode() * 500) for key in some)
        assert dict(store.get(some)) == {key: key.encode() * 500 for key in some}
"""


def test_two_experiments_fill_a_new_space_at_once(tmp_path: Path) -> None:
    sharers = [
        subprocess.Popen([sys.executable, "-c", SHARER, str(tmp_path), str(number % 2)])
        for number in range(4)
    ]
    assert [sharer.wait() for sharer in sharers] == [0] * 4
    with Store("things", {"model": "new"}, tmp_path) as store:
        assert dict(store.get(map(str, range(400)))) == {str(n): str(n).encode() * 500 for n in range(400)}


def test_embeddings_cost_little_more_than_their_bytes(tmp_path: Path) -> None:
    count, payload = 3000, b"\1" * 2048
    with Store("things", {}, tmp_path) as store:
        for start in range(0, count, 50):
            store.put((f"{hash(number) % 2**64:016x}", payload) for number in range(start, start + 50))
    (space,) = spaces(tmp_path)
    assert (space.kind, space.about, space.entries) == ("things", {}, count)
    assert space.bytes <= 1.3 * count * len(payload)


def test_a_space_of_an_earlier_version_is_read(tmp_path: Path) -> None:
    """As earlier versions made it: larger pages, and not touched when it is used."""
    path = tmp_path / "things" / f"{fingerprint({'model': 'a'})}.sqlite"
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA page_size = 65536")
        db.execute("CREATE TABLE results (key TEXT PRIMARY KEY, value BLOB)")
        db.execute("CREATE TABLE about (determinants TEXT PRIMARY KEY)")
        db.execute("INSERT INTO results VALUES ('k', x'76')")
        db.commit()
    os.utime(path, (0, 0))
    with Store("things", {"model": "a"}, tmp_path) as store:
        assert dict(store.get(["k"])) == {"k": b"v"}
    assert next(spaces(tmp_path)).used > time.time() - 60


def test_experiments_share_the_store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    assert cache_root() == tmp_path / ".cache"


def test_without_dvc_the_store_is_in_the_project_or_here(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    inside = tmp_path / "project" / "data" / "images"
    inside.mkdir(parents=True)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    monkeypatch.chdir(inside)
    assert cache_root() == inside / ".cache"
    (tmp_path / "project" / ".dvc").mkdir()
    assert cache_root() == tmp_path / "project" / ".cache"


def test_a_lock_is_held_once_and_given_back(tmp_path: Path) -> None:
    store = tmp_path / "answers.sqlite"
    with exclusive_lock(store):
        held = pytest.raises(InputError, match=r"expected no other run .* holds .*answers\.lock")
        with held, exclusive_lock(store):
            pass
        with exclusive_lock(tmp_path / "other.sqlite"):
            pass
    with exclusive_lock(store):
        pass
