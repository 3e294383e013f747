"""The label source ``openai`` under DVC: killed, changed, in experiments, and never asked twice."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
from contextlib import closing, suppress
from pathlib import Path

import pytest

from tests.support.chat_server import KEY, ChatServer
from tests.support.pipeline import IMAGES, Project, add_photographs, new_project

pytestmark = pytest.mark.pipeline

ALL = IMAGES + 12
STAGE = "label@openai"


@pytest.fixture
def project(tmp_path: Path, server: ChatServer, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    made = new_project(tmp_path / "project", sources=["human", "openai"])
    add_photographs(made, range(IMAGES, ALL))
    made.run("dvc", "add", "data/images")
    made.set(
        label__openai__model="test-model", label__openai__base_url=server.base_url,
        label__openai__max_side=64, runtime__openai__concurrency=4,
    )  # fmt: skip
    made.commit("with openai")
    return made


def answers_stored(project: Project) -> int:
    total = 0
    for path in (project.root / ".cache" / "labels" / "openai").glob("*.sqlite"):
        with closing(sqlite3.connect(path)) as store, suppress(sqlite3.OperationalError):
            total += store.execute("SELECT count(*) FROM results").fetchone()[0]
    return total


def kill_after(project: Project, server: ChatServer, finished: int) -> None:
    """Run `dvc repro` and kill it and its stage when so many answers are stored and others in flight."""
    server.script.hold_after = finished
    command = subprocess.Popen(
        ["dvc", "repro", STAGE], cwd=project.root, env=project.environment(),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    held = len(server.log)
    server.wait_until(lambda: answers_stored(project) == finished)
    server.wait_until(lambda: any(kind == "held" for kind, _, _ in server.log[held:]))
    os.killpg(command.pid, signal.SIGKILL)
    command.wait()


def test_killed_three_times_changed_and_experimented_with(project: Project, server: ChatServer) -> None:
    for finished in (1, 9, ALL - 2):
        kill_after(project, server, finished)
    server.script.hold_after = None
    assert STAGE in project.repro(STAGE)
    assert len(server.finished) == ALL
    assert set(server.finished.values()) == {1}, "no finished image is asked again"
    figures = json.loads((project.root / "metrics" / "labels" / "openai.json").read_text())
    assert (figures["labelled_images"], figures["requests"]) == (ALL, ALL)
    project.commit("labelled")
    asked = len(server.log)

    project.set(
        label__imagenet__threshold=0.5, runtime__openai__concurrency=1, runtime__openai__max_retries=0
    )
    assert project.repro(STAGE) == set()
    output = project.run("dvc", "exp", "run", "--temp", "-S", "label.openai.queries=[caption]", STAGE)
    assert f"Running stage '{STAGE}'" in output
    assert len(server.log) == asked, "neither asks anything"

    project.set(label__openai__prompt="What is advertised here?")
    assert STAGE in project.repro(STAGE)
    assert set(server.finished.values()) == {2}
    assert_nowhere(project.root, KEY)
    assert KEY not in output + project.run("git", "log", "--all", "-p")


def assert_nowhere(root: Path, secret: str) -> None:
    """Search all files of a project: caches, locks, experiments and git included."""
    files = [path for path in root.rglob("*") if path.is_file() and not path.is_symlink()]
    assert any(path.name == "dvc.lock" for path in files)
    assert any(path.suffix == ".sqlite" for path in files)
    for path in files:
        assert secret.encode() not in path.read_bytes(), path
