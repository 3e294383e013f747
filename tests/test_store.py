"""The store of costly results: whole or not at all, shared between processes."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from stages.io.store import Store, cache_root, fingerprint


def test_what_is_put_comes_back(tmp_path: Path) -> None:
    keys = [f"{number:016x}" for number in range(1200)]
    with Store("things", {"model": "a"}, tmp_path) as store:
        store.put((key, key.encode()) for key in keys[:1000])
        assert store.missing(keys) == keys[1000:]
    with Store("things", {"model": "a"}, tmp_path) as store:
        assert dict(store.get(keys)) == {key: key.encode() for key in keys[:1000]}


def test_other_determinants_are_another_space(tmp_path: Path) -> None:
    with Store("things", {"model": "a"}, tmp_path) as store:
        store.put([("k", b"v")])
    with Store("things", {"model": "b"}, tmp_path) as store:
        assert store.missing(["k"]) == ["k"]
    assert fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1})


def test_a_failing_put_leaves_nothing(tmp_path: Path) -> None:
    def items():  # type: ignore[no-untyped-def]
        yield "k", b"v"
        raise RuntimeError("interrupted")

    with Store("things", {}, tmp_path) as store:
        with pytest.raises(RuntimeError):
            store.put(items())
        assert store.missing(["k"]) == ["k"]


WRITER = """
import sys
from pathlib import Path
from stages.io.store import Store
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


def test_experiments_share_the_store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    assert cache_root() == tmp_path / ".cache"
