"""The store of costly results: whole or not at all, shared between processes."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from text2image.base.console import InputError
from text2image.base.store import Store, cache_root, exclusive_lock, fingerprint, spaces


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
