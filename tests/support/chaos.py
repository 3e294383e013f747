"""Runs of a pipeline that are killed at random moments, and what a run that nothing disturbed leaves."""

from __future__ import annotations

import hashlib
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import psutil

from tests.support.pipeline import Project
from text2image.commands.pipeline.repairs import keep_copies

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
COMMANDS = (("t2i", "repro"), ("dvc", "repro"))
RESULTS = ("data", "metrics", "plots", "dvc.lock", "params.yaml")
STATE = ("dvc.lock", ".dvc/tmp/rwlock")
MENTIONED = re.compile(rb"^(?:Running stage|Stage) '", re.MULTILINE)
SECONDS = 120.0
"""How long a run may take, to be killed or to end."""


class Plan(NamedTuple):
    """How a run is killed.

    Attributes:
        command: what runs.
        signal: what it gets.
        target: ``group``, ``dvc`` (alone) or ``child`` (alone).
        moment: one of ``STATE``, as soon as this file of DVC is found to be written, or ``time``.
        stage: at that mention of a stage at the earliest.
        delay: seconds after it, for ``time``.
        computing: the share of stages that DVC's run cache does not know, so that they compute.
        store: whether the store has what they need.
        copies: whether copies of DVC's files are there, besides what git has.
    """

    command: tuple[str, ...]
    signal: signal.Signals
    target: str
    moment: str
    stage: int
    delay: float
    computing: float
    store: bool
    copies: bool


def plans(seed: int, stages: int) -> Iterator[Plan]:
    """Yield plans without end, the same for the same seed."""
    chance = random.Random(seed)
    while True:
        moment = chance.choice((*STATE, "time", "time", "time"))
        target = chance.choice(("group", "dvc", "child")) if moment == "time" else "group"
        yield Plan(
            command=chance.choice(COMMANDS) if moment == "time" else COMMANDS[1],
            signal=chance.choice(SIGNALS),
            target=target,
            moment=moment,
            stage=chance.randrange(stages),
            delay=chance.uniform(0.0, 1.5),
            computing=0.5 if target == "child" else chance.choice((0.0, 0.0, 0.1)),
            store=chance.random() < 0.9,
            copies=chance.random() < 0.5,
        )


def results(root: Path) -> dict[str, str]:
    """Return the SHA-256 of every file that a run leaves, those included that it should not have left."""
    files = [path for name in RESULTS for path in [root / name, *(root / name).rglob("*")] if path.is_file()]
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files
    }


def forget_runs(root: Path, share: float, chance: random.Random) -> None:
    """Remove a share of the commands from DVC's run cache."""
    commands: dict[str, list[Path]] = {}
    for path in sorted((root / ".dvc" / "cache" / "runs").rglob("*")):
        if path.is_file():
            commands.setdefault(path.read_text().split("\n", 1)[0], []).append(path)
    for paths in commands.values():
        if chance.random() < share:
            for path in paths:
                path.unlink()
                if not any(path.parent.iterdir()):  # DVC leaves an empty folder only where it is killed
                    path.parent.rmdir()


def prepare(project: Project, plan: Plan, chance: random.Random) -> None:
    """Bring a fresh copy into the state that a plan begins with."""
    forget_runs(project.root, plan.computing, chance)
    if not plan.store:
        shutil.rmtree(project.root / ".cache", ignore_errors=True)
    shutil.rmtree(project.root / ".dvc" / "tmp" / "copies", ignore_errors=True)
    if plan.copies:
        keep_copies(project.root)


def run_and_kill(project: Project, plan: Plan) -> str:
    """Begin a run and kill it as planned; return what was hit, or "" if it ended before."""
    log = project.root.with_name(f"{project.root.name}.log")
    with log.open("wb") as output:
        process = subprocess.Popen(
            plan.command, cwd=project.root, env=environment(project), stdout=output, stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip
    try:
        hit = _when(project, plan, process, log)
        if not hit:
            return ""
        if plan.target == "group":
            os.killpg(process.pid, plan.signal)
        else:
            killed = _kill_one(process, plan)
            hit = killed and f"{hit}, {killed}"
        process.wait(SECONDS)  # DVC ignores Ctrl-C while a stage runs, and ends with what is left to do
        return hit
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _when(project: Project, plan: Plan, process: subprocess.Popen[bytes], log: Path) -> str:
    """Wait for the moment of a plan; return what is seen then, or "" if the run ended before."""
    end, since = time.monotonic() + SECONDS, None
    path = project.root / plan.moment
    before = _stamp(path)
    while process.poll() is None and time.monotonic() < end:
        if since is None:
            if len(MENTIONED.findall(log.read_bytes())) > plan.stage:
                since = time.monotonic()
            else:
                time.sleep(0.02)
                before = _stamp(path)
        elif plan.moment == "time":
            time.sleep(plan.delay)
            return f"stage {plan.stage} + {plan.delay:.2f} s" if process.poll() is None else ""
        elif (now := _stamp(path)) != before:
            return f"{path.name} of {now[0]} bytes, of {before[0]} before"
    return ""


def _stamp(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except FileNotFoundError:
        return -1, 0
    return found.st_size, found.st_mtime_ns


def _kill_one(process: subprocess.Popen[bytes], plan: Plan) -> str:
    """Kill DVC alone, or the youngest process that it started, and say which; "" if it starts none any more."""
    if plan.target == "dvc":
        process.send_signal(plan.signal)
        return "DVC alone"
    while process.poll() is None:
        try:
            children = psutil.Process(process.pid).children(recursive=True)
            if children:
                children[-1].send_signal(plan.signal)
                return " ".join(children[-1].cmdline()[1:])[:80] or "a child"
        except psutil.Error:
            pass
        time.sleep(0.01)
    return ""


def environment(project: Project) -> dict[str, str]:
    """Return a user's environment, with the `t2i` of this environment and the project's own library."""
    return project.environment() | {"PYTHONPATH": str(project.root)}


def make_repro(project: Project) -> str:
    """Run a plain `make repro`, which must end well; return what it printed."""
    return project.run("make", f"VENV={sys.prefix}", "-o", "install", "repro", env=environment(project))
