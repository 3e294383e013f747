"""One process at a time for a space: who pays is refused, who computes waits and finds; a lock ends with its process."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from text2image.base import locks
from text2image.base.console import InputError
from text2image.base.locks import exclusive_lock, waiting_lock
from text2image.base.store import Store
from text2image.encoders.vectors import Batch, stored_vectors

NUMBERS = [str(number) for number in range(6)]

ORPHAN = """
import sys
import numpy as np
from text2image.encoders.vectors import stored_vectors
def embed(numbers):
    print("embedding", flush=True)
    for number in numbers:
        sys.stdin.readline()
        yield [(number, np.float32([number]).tobytes())]
        print(number, flush=True)
numbers = [str(number) for number in range(6)]
stored_vectors({}, dict(zip(numbers, numbers)), embed, unit="number", title="numbers")
"""


@pytest.fixture
def orphan(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    """A process that embeds, one for each line of its input, and that has begun."""
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.setattr(locks, "SAY_AFTER_S", 0.1)
    process = subprocess.Popen(
        [sys.executable, "-c", ORPHAN],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, bufsize=1,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "embedding\n"
    yield process
    process.kill()
    process.communicate()


def embed_beside(embedded: list[str]) -> tuple[list[float], int]:
    """Embed the same in this process; ``embedded`` gets what had to be computed."""

    def embed(items: Sequence[str]) -> Iterator[Batch]:
        for item in items:
            embedded.append(item)
            yield [(item, np.float32(float(item)).tobytes())]

    vectors, n = stored_vectors({}, {number: number for number in NUMBERS}, embed, unit="number", title="")
    return vectors[:, 0].tolist(), n


def wait_for(said: Callable[[], str], text: str) -> str:
    until, all_said = time.monotonic() + 20, ""
    while text not in all_said:
        assert time.monotonic() < until, all_said
        time.sleep(0.02)
        all_said += said()
    return all_said


def test_the_second_waits_says_so_and_finds_what_the_first_embedded(
    orphan: "subprocess.Popen[str]", capsys: pytest.CaptureFixture[str]
) -> None:
    embedded: list[str] = []
    with ThreadPoolExecutor(1) as pool:
        second = pool.submit(embed_beside, embedded)
        said = wait_for(lambda: capsys.readouterr().err, "waiting for")
        assert f"waiting for process {orphan.pid}, which computes the same and holds " in said
        assert said.count("waiting") == 1 and embedded == []
        orphan.communicate("\n" * len(NUMBERS))
        assert second.result(20) == ([float(number) for number in NUMBERS], 0)
    assert orphan.returncode == 0 and embedded == [], "nothing was embedded twice"


def test_the_lock_ends_with_its_process_and_what_it_stored_is_found(
    orphan: "subprocess.Popen[str]", capsys: pytest.CaptureFixture[str]
) -> None:
    assert orphan.stdin is not None and orphan.stdout is not None
    embedded: list[str] = []
    with ThreadPoolExecutor(1) as pool:
        second = pool.submit(embed_beside, embedded)
        wait_for(lambda: capsys.readouterr().err, "waiting for")
        for _ in range(4):
            orphan.stdin.write("\n")
        while orphan.stdout.readline() != "3\n":
            pass
        orphan.kill()
        vectors, n = second.result(20)
    assert vectors == [float(number) for number in NUMBERS]
    assert n == len(embedded) <= 4, "a kill costs the batch that is written and the one that waits"
    assert {"4", "5"} <= set(embedded)


FORKED = """
import os, sys, time
from pathlib import Path
from text2image.base.locks import waiting_lock
with waiting_lock(Path(sys.argv[1])):
    if os.fork() == 0:
        print(os.getpid(), flush=True)
        time.sleep(20)
        os._exit(0)
    os.kill(os.getpid(), 9)
"""


def test_a_process_that_was_forked_does_not_hold_the_lock_of_one_that_is_gone(tmp_path: Path) -> None:
    """As the processes of a pool outlive a kill of the one that made them."""
    store = tmp_path / "space.sqlite"
    process = subprocess.Popen([sys.executable, "-c", FORKED, str(store)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    child = int(process.stdout.readline())
    try:
        assert process.wait(20) == -9
        began = time.monotonic()
        with waiting_lock(store):
            assert time.monotonic() - began < 5
    finally:
        os.kill(child, 9)
        process.stdout.close()


def test_who_waits_takes_turns_in_one_process_too(tmp_path: Path) -> None:
    inside, most = 0, 0
    guard = threading.Lock()

    def turn(_: int) -> None:
        nonlocal inside, most
        with waiting_lock(tmp_path / "space.sqlite"):
            with guard:
                inside += 1
                most = max(most, inside)
            time.sleep(0.01)
            with guard:
                inside -= 1

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(turn, range(8)))
    assert most == 1


def test_what_is_all_there_waits_for_nobody(tmp_path: Path) -> None:
    with Store("things", {}, tmp_path) as store:
        store.put([("a", b"1")])
        with waiting_lock(store.path):
            assert store.fill(["a"], lambda missing: []) == {"a": 1}


def test_what_goes_wrong_inside_is_not_said_of_the_lock(tmp_path: Path) -> None:
    for lock in (waiting_lock, exclusive_lock):
        with pytest.raises(PermissionError, match="of something else"), lock(tmp_path / "space.sqlite"):
            raise PermissionError("of something else")


def test_a_lock_file_that_is_none_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "space.lock").mkdir()
    for lock in (waiting_lock, exclusive_lock):
        no_file = pytest.raises(
            InputError, match=r"expected a SQLite file at .*space\.lock, found a folder; move it"
        )
        with no_file, lock(tmp_path / "space.sqlite"):
            pass
