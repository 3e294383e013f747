"""Weights that are overwritten in place: DVC sees it, everything is embedded anew, and no matrix holds two models."""

from __future__ import annotations

import os
import re
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

from tests.support.pipeline import Project, add_photographs, tiny_model

pytestmark = pytest.mark.pipeline

VECTORS = "data/embeddings/mine/images.npy"


def overwrite(weights: Path, factor: float) -> None:
    """Change the weights, not their size."""
    time.sleep(0.01)  # a file system's clock may tick in steps
    save_file(
        {
            key: value * factor if value.is_floating_point() else value
            for key, value in load_file(weights).items()
        },
        weights,
    )


def embed(project: Project) -> str:
    """Run the stage that embeds and return what it says of it."""
    return "".join(re.findall(r"embed_images mine: (.*)", project.run("dvc", "repro", "embed_images@mine")))


def test_overwritten_weights_are_another_model(project: Project) -> None:
    folder = project.root.parent / "elsewhere" / "mine"
    folder.parent.mkdir()
    tiny_model(folder)
    weights = folder / "open_clip_model.safetensors"
    mine = {"name": f"local-dir:{folder}", "pretrained": None, "context_length": None}
    project.set(models__mine=mine, embed__models=["mine"], retrieve__systems=["mine"])
    assert embed(project) == "10 embedded, 0 found in the store"
    assert "model@mine" not in project.run("dvc", "status", "model@mine"), "nothing changed"
    before = np.load(project.root / VECTORS)

    overwrite(weights, 2.0)
    add_photographs(project, range(10, 12))
    project.run("dvc", "repro", "catalog")
    refused = project.run("python", "-m", "stages.embed_images", "mine", check=False)
    assert "expected the files of model 'mine'" in refused and "Traceback" not in refused, refused
    assert "found another open_clip_model.safetensors" in refused and "run `dvc repro`" in refused
    assert np.array_equal(np.load(project.root / VECTORS), before)
    assert re.search(
        r"model@mine:\s+changed deps:\s+modified:\s+data/local_models/models/mine",
        project.run("dvc", "status", "model@mine"),
    )
    assert embed(project) == "12 embedded, 0 found in the store", "never two models in one matrix"
    after = np.load(project.root / VECTORS)
    assert len(after) == 12 and not any((row == after).all(axis=1).any() for row in before)

    folder.rename(folder.with_name("away"))
    said = project.run("t2i", "repro", "embed_images@mine", check=False)
    assert (
        f"error: expected the model of the params key models.mine.name at {folder}, found: No such file or directory"
        in said
    )
    assert "Errno" not in said and "Traceback" not in said, said


def test_a_fresh_clone_makes_the_links_and_runs_nothing_else(project: Project) -> None:
    clone = Project(project.root.parent / "clone")
    project.run("git", "clone", "-q", ".", str(clone.root))
    shutil.copytree(project.root / ".dvc" / "cache", clone.root / ".dvc" / "cache", copy_function=os.link)
    shutil.copytree(project.root / "data" / "images", clone.root / "data" / "images")
    clone.run("dvc", "checkout", "--allow-missing")
    assert "data/local_models/README.txt" in clone.run("dvc", "status")
    assert clone.repro() == {"local_models"}
    assert "local_models" not in clone.run("dvc", "status")
    assert clone.run("git", "status", "--porcelain") == ""
