"""A zoo of models: what can be had is compared, what cannot is listed, and the workspace stays as it was."""

import hashlib
import json
from typing import Any

import pytest

from tests.support.pipeline import Project, tiny_model
from text2image.base.console import InputError
from text2image.commands.pipeline.experiment import blamed
from text2image.formats.tables import read_csv


def test_a_failure_is_put_down_to_the_model_that_caused_it() -> None:
    said = (
        "Running stage 'embed_queries@a-b-human':\nerror: model 'a-b' cannot be loaded (no tokenizer)\n"
        "ERROR: failed to reproduce 'embed_queries@a-b-human': failed to run: python, exited with 1\n"
    )
    assert blamed(said, ["a", "a-b"], ["human"]) == ("a-b", "model 'a-b' cannot be loaded (no tokenizer)")
    killed = "ERROR: failed to reproduce 'embed_images@a': failed to run: python, exited with -9\n"
    assert blamed(killed, ["a", "a-b"], ["human"]) == ("a", killed.strip().removeprefix("ERROR: "))
    for other in (
        "ERROR: failed to reproduce 'label@a': failed to run\n",
        "ERROR: failed to reproduce 'evaluate': x\n",
        "",
    ):
        with pytest.raises(InputError, match="the reason above"):
            blamed(other, ["a"], ["human"])


def contents(project: Project) -> dict[str, str]:
    """Return the hashes of all files of a user's workspace, but for what the zoo is to write."""
    return {
        str(path.relative_to(project.root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(project.root.rglob("*"))
        if path.is_file() and path.relative_to(project.root).parts[0] not in (".git", ".dvc", ".cache", "report")
        and "__pycache__" not in path.parts
    }  # fmt: skip


def described(folder: str) -> dict[str, Any]:
    return {"name": f"local-dir:{folder}", "pretrained": None, "context_length": None}


@pytest.mark.pipeline
def test_what_can_be_had_is_compared_and_the_rest_is_listed(project: Project) -> None:
    tiny_model(project.root / "tiny")
    tiny_model(project.root / "broken")
    (project.root / "broken" / "open_clip_model.safetensors").write_bytes(b"\0" * 100)
    tiny_model(project.root / "huge")
    config = project.root / "huge" / "open_clip_config.json"
    large = json.loads(config.read_text())
    large["model_cfg"]["text_cfg"] |= {"width": 65536, "heads": 1024, "layers": 200}
    config.write_text(json.dumps(large))
    (project.root / ".gitignore").open("a").write("/tiny/\n")  # neither git nor DVC knows it
    project.set(
        **{f"models__{name}": described(name) for name in ("tiny", "broken", "huge")},
        zoo__models=["broken", "builtin", "huge", "siglip", "tiny"],
        label__sources=["human"],
    )
    before, status = contents(project), project.run("git", "status", "--porcelain")
    said = project.run("python", "-m", "text2image.cli", "zoo", "evaluate")
    assert "Traceback" not in said
    assert contents(project) == before
    assert project.run("git", "status", "--porcelain") == status

    page = (project.root / "report" / "leaderboard.md").read_text()
    assert page in said
    absent = dict(
        line[2:].split(": ", 1) for line in page.split("## Not to be had")[1].split("\n") if line[:1] == "-"
    )
    assert absent.keys() == {"broken", "huge", "siglip"}
    assert "an open_clip checkpoint in broken" in absent["broken"]
    assert "of memory (estimated, 10" in absent["huge"]
    assert "is not on this machine" in absent["siglip"]

    rows = read_csv(project.root / "report" / "leaderboard.csv", ["system", "source", "mrr"])
    assert {(row["system"], row["source"]) for row in rows} == {
        ("builtin", "human"),
        ("tiny", "human"),
    }
    metrics = json.loads((project.root / "metrics" / "metrics.json").read_text())["builtin"]
    assert "zoo" in project.run("dvc", "exp", "show", "--csv")
    assert "tiny.human.mrr" in project.run("dvc", "metrics", "diff", "HEAD", "zoo")
    for row in rows:
        if row["system"] == "builtin":
            assert float(row["mrr"]) == metrics[row["source"]]["mrr"], "the same queries as before"
            assert row["dimension"] == "384"


@pytest.mark.pipeline
def test_a_zoo_of_nothing_is_one_sentence(project: Project) -> None:
    project.set(zoo__models=["siglip"])
    said = project.run("python", "-m", "text2image.cli", "zoo", check=False)
    assert "Traceback" not in said
    assert said.splitlines()[-1].startswith("error: expected at least one model of zoo.models")
