"""Fixtures shared by the tests: a finished project, made once and copied; a chat server on loopback."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from filelock import FileLock

from tests.support.chat_server import KEY, ChatServer
from tests.support.pipeline import Project, new_project
from tests.support.workplace import Workplace

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell gives this to its background jobs, and what they start would ignore the tests' Ctrl-C, too.
    signal.signal(signal.SIGINT, signal.default_int_handler)


MARKS = {
    "finished": "pipeline",  # a reproduced project
    "nodes": "slow",  # a cluster
    "directory": "slow",  # the built-in model, assembled
    "creatives": "slow",  # sixty campaigns of the sample, drawn
    "made": "slow",  # a project by t2i init
}
"""The marks of tests that ask for a fixture."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests by what they ask for, so that none is forgotten."""
    for item in items:
        for fixture in MARKS.keys() & set(getattr(item, "fixturenames", ())):
            item.add_marker(MARKS[fixture])


class Finished(NamedTuple):
    """A reproduced and committed project, and which stages ran to get there."""

    project: Project
    first: set[str]
    added_by_second_source: set[str]


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Finished:
    """Make the project with one label source, then add a second; parallel test workers share it."""
    base = tmp_path_factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / "finished"
    with FileLock(f"{folder}.lock"):
        record = folder / "stages.json"
        if not record.exists():
            project = new_project(folder / "project", sources=["human"])
            first = project.repro()
            project.set(label__sources=["human", "imagenet"])
            added = project.repro()
            project.commit("results")
            record.write_text(json.dumps([sorted(first), sorted(added)]))
    first, added = (set(names) for names in json.loads(record.read_text()))
    return Finished(Project(folder / "project"), first, added)


@pytest.fixture
def project(finished: Finished, tmp_path: Path) -> Project:
    """A private copy of the finished project."""
    return finished.project.copy(tmp_path / "project")


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep locks and answers out of the repository's cache."""
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))


@pytest.fixture
def server() -> Iterator[ChatServer]:
    """A server of chat completions, files and batches on loopback."""
    with ChatServer() as running:
        yield running


@pytest.fixture
def workplace(
    tmp_path: Path, own_cache: None, server: ChatServer, monkeypatch: pytest.MonkeyPatch
) -> Workplace:
    """A folder in which the label source ``openai`` runs without DVC, against the server."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return Workplace(tmp_path, server)
