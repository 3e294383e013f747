"""A system that reranks under DVC: it adds stages of its own alone, and buys no pair twice."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.chat_server import KEY, ChatServer
from tests.support.pipeline import IMAGES, new_project
from tests.support.reranking import count_pairs

pytestmark = pytest.mark.pipeline

DEPTH = 3


def test_a_reranker_adds_its_own_stages_and_buys_each_pair_once(
    tmp_path: Path, server: ChatServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    count_pairs(server)
    server.script.content = lambda pair: json.dumps({"reason": "so", "grade": int(pair[0], 16) % 4})
    project, second = (
        new_project(tmp_path / "project", sources=["human"]),
        {"kind": "rerank", "of": "builtin", "depth": DEPTH},
    )
    project.set(
        label__openai__model="test-model", label__openai__base_url=server.base_url,
        retrieve__systems=["builtin", "second"], systems={"second": second},
    )  # fmt: skip
    project.repro("retrieve@builtin-human")
    estimate = project.run("t2i", "rerank", "second", "--estimate")
    assert f"{IMAGES * DEPTH} of {IMAGES * DEPTH} pairs of query and image not graded yet" in estimate
    assert not server.log
    assert project.repro("retrieve@second-human") == {"retrieve@second-human"}
    assert len(server.finished) == IMAGES * DEPTH and set(server.finished.values()) == {1}
    project.set(systems={"second": second | {"depth": DEPTH + 1}})
    both = "retrieve@second-human", "retrieve@builtin-human"
    assert project.repro(*both) == {"local_models", "systems", "retrieve@second-human"}
    assert len(server.finished) == IMAGES * (DEPTH + 1) and set(server.finished.values()) == {1}
    project.set(runtime__openai__concurrency=1, label__openai__prompt="Another question of the label source.")
    assert project.repro(*both) == set(), "a second look depends on neither"
