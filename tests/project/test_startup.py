"""Stages that compute nothing with torch import none of it: they start in a second, whatever they are asked for."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml

from tests.support.networks import picture
from tests.support.pipeline import REPOSITORY, tiny_model

HEAVY = {
    "torch",
    "torchvision",
    "open_clip",
    "transformers",
    "timm",
    "onnxruntime",
    "rapidocr",
    "sentence_transformers",
}

WITH_TORCH = {
    "builtin_model": "assembles a network",
    "model": "builds a network without memory, to measure it",
    "split": "describes the base model as `model` does",
    "finetune": "trains a network",
}
"""Stages that import torch whenever they run, each with what they need it for."""

DRAWING = {"sample", "sample_check"}
"""Stages of sample/dvc.yaml, which take minutes: here it is only seen what they import."""

FILLING = (
    ("catalog",), ("local_models",), ("model", "tiny"), ("label_inputs",), ("label", "human"), ("label", "imagenet"), ("field", "imagenet"),
    ("embed_images", "tiny"), ("embed_queries", "tiny", "human"), ("embed_queries", "tiny", "imagenet"),
)  # fmt: skip
AFTER = (
    ("relevance",), ("systems",), ("retrieve", "tiny", "human"), ("retrieve", "tiny", "imagenet"), ("index", "tiny"),
    ("evaluate",), ("audit",), ("examples_dataset",), ("examples_labels", "human"), ("examples", "human"),
)  # fmt: skip


REPORT = f"import atexit, sys; atexit.register(lambda: print('|', *{HEAVY} & set(sys.modules)));"


def imported(root: Path, script: str) -> set[str]:
    """Run a script in a folder and return what it imported of ``HEAVY``.

    Raises:
        AssertionError: it failed.
    """
    environment = os.environ | {"DVC_ROOT": str(root), "PYTHONPATH": str(REPOSITORY), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", f"{REPORT} {script}"],
        cwd=root, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return set(done.stdout.rpartition("|")[2].split())


def run(root: Path, stage: Sequence[str]) -> set[str]:
    """Run a stage and return what it imported of ``HEAVY``."""
    name, *items = stage
    script = (
        f"import runpy; sys.argv[1:] = {items}; runpy.run_module('stages.{name}', None, '__main__', True)"
    )
    return imported(root, script)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Make a folder with three images, captions, and a model of two small towers."""
    tiny_model(tmp_path / "tiny")
    (tmp_path / "images").mkdir()
    names = [f"{number}.png" for number in range(3)]
    for seed, name in enumerate(names):
        picture(60 + seed, 70, seed).save(tmp_path / "images" / name)
    (tmp_path / "captions.csv").write_text(
        "path,text\n" + "".join(f"{name},red shoe {name}\n" for name in names)
    )
    (tmp_path / "data").mkdir()
    shutil.copyfile(REPOSITORY / "data" / "judgements.csv", tmp_path / "data" / "judgements.csv")
    values = yaml.safe_load((REPOSITORY / "params.yaml").read_text())
    values["data"]["images"] = "images"
    values["label"] |= {"sources": ["human", "imagenet"]}
    values["label"]["human"]["path"] = "captions.csv"
    values["label"]["imagenet"]["threshold"] = 0.0
    values["queries"] |= {"max_relevant_share": 1.0}
    values["models"]["tiny"] = {"name": "local-dir:tiny", "pretrained": None, "context_length": None}
    values["embed"]["models"] = values["retrieve"]["systems"] = values["index"]["models"] = ["tiny"]
    values |= {"systems": {}}
    values["retrieve"]["fields"] = ["imagenet"]
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(values))
    return tmp_path


@pytest.mark.slow
def test_stages_without_a_network_to_run_import_none(root: Path) -> None:
    """The whole pipeline; those that embed and label run twice, and find everything in the store the second time."""
    first = {stage: run(root, stage) for stage in FILLING}
    assert "torch" in first["embed_images", "tiny"], "or else nothing is seen here"
    assert "transformers" not in first["embed_images", "tiny"] | first["label", "imagenet"]
    assert "timm" not in first["embed_images", "tiny"] | first["embed_queries", "tiny", "human"]
    again = {stage: run(root, stage) for stage in (*FILLING, *AFTER) if stage[0] != "model"}
    assert {stage: names for stage, names in again.items() if names} == {}
    modules = {path.stem for path in (REPOSITORY / "stages").glob("*.py")} - {"__init__"}
    assert {stage for stage, *_ in again} == modules - WITH_TORCH.keys() - DRAWING, "all of them"


@pytest.mark.parametrize("stage", sorted(DRAWING | WITH_TORCH.keys()))
def test_stages_import_torch_late_if_at_all(stage: str, tmp_path: Path) -> None:
    assert imported(tmp_path, f"import stages.{stage}") == set()
