"""Real processes that are killed: those that they started end, and the next that does the same work waits for its turn."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.support.pipeline import REPOSITORY
from text2image.base.processes import one_at_a_time, running_stages

HEAD = """
import os, sys, time
from pathlib import Path
from text2image.base import console, processes
"""
STAGE = (
    HEAD
    + """
processes.end_with_parent(processes.interrupt)
processes.end_in_order_on_sigterm()
def work():
    with processes.one_at_a_time("label@human", Path()):
        try:
            Path("pid").write_text(str(os.getpid()))
            time.sleep(60)
        finally:
            Path("tidied").touch()
console.run(work)
"""
)
PARENT = (
    HEAD
    + """
import subprocess
subprocess.run([sys.executable, "-c", Path("stage.py").read_text()])
"""
)
POOL = (
    HEAD
    + """
from concurrent.futures import ProcessPoolExecutor
with ProcessPoolExecutor(2, initializer=processes.begin_worker) as pool:
    list(pool.map(time.sleep, [0.01] * 8))
    Path("pid").write_text(" ".join(map(str, pool._processes)))
    time.sleep(60)
"""
)


def start(script: str, folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", script], cwd=folder, env=os.environ | {"PYTHONPATH": str(REPOSITORY)}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip


def until(true: Callable[[], object], seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


def pids(folder: Path) -> list[int]:
    until(lambda: (folder / "pid").exists() and (folder / "pid").read_text())
    return [int(number) for number in (folder / "pid").read_text().split()]


def is_running(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def test_a_stage_ends_in_order_after_its_dvc_was_killed(tmp_path: Path) -> None:
    (tmp_path / "stage.py").write_text(STAGE)
    parent = start(PARENT, tmp_path)
    (stage,) = pids(tmp_path)
    assert running_stages(tmp_path) == ["label@human"]
    parent.kill()
    until(lambda: not is_running(stage))
    assert (tmp_path / "tidied").exists()
    assert running_stages(tmp_path) == []
    assert "what started this process has ended, so it ends, too" in parent.communicate()[0]


def test_a_pool_ends_with_the_process_that_it_works_for(tmp_path: Path) -> None:
    process = start(POOL, tmp_path)
    workers = pids(tmp_path)
    assert len(workers) == 2
    process.kill()
    for worker in workers:
        until(lambda worker=worker: not is_running(worker))  # type: ignore[misc]
    process.communicate()


def test_ctrl_c_is_said_once_though_a_pool_works(tmp_path: Path) -> None:
    process = start(
        POOL.replace("with Proc", "def work():\n  with Proc").replace("\n    ", "\n      ")
        + "\nconsole.run(work)",
        tmp_path,
    )
    pids(tmp_path)
    os.killpg(process.pid, signal.SIGINT)
    said = process.communicate()[0]
    assert (process.returncode, said) == (
        130,
        "interrupted: finished work is kept, run the same command to go on\n",
    )


def test_sigterm_ends_a_stage_in_order(tmp_path: Path) -> None:
    process = start(STAGE, tmp_path)
    (stage,) = pids(tmp_path)
    os.kill(stage, signal.SIGTERM)
    assert process.communicate()[0].startswith("interrupted: finished work is kept")
    assert process.returncode == 130
    assert (tmp_path / "tidied").exists()


def test_the_second_run_of_a_stage_waits_for_the_first_and_says_so(tmp_path: Path) -> None:
    with one_at_a_time("label@human", tmp_path), one_at_a_time("label@ocr", tmp_path):
        second = start(STAGE, tmp_path)
        assert second.stdout is not None
        assert (
            second.stdout.readline()
            == "label@human: another process still runs this stage here; waiting for its end\n"
        )
        assert not (tmp_path / "pid").exists()
        assert running_stages(tmp_path) == ["label@human", "label@ocr"]
    assert pids(tmp_path) == [second.pid]
    second.kill()
    second.communicate()
    with one_at_a_time("label@human", tmp_path):
        pass


@pytest.mark.parametrize("name", ["label@../../etc/passwd", "x" * 999])
def test_any_name_has_a_lock_in_its_folder(tmp_path: Path, name: str) -> None:
    with one_at_a_time(name, tmp_path):
        assert len(running_stages(tmp_path)) == 1
    assert [path.name for path in tmp_path.iterdir()] == [".dvc"]
