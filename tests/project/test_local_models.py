"""The links by which DVC sees what models are loaded from."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from stages.local_models import main
from tests.support.pipeline import REPOSITORY
from text2image.params import Params, load_params


@pytest.fixture
def params(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Params:
    """Return params in which a model of each kind lies in a folder, and go to where they are."""
    monkeypatch.chdir(tmp_path)
    for folder in ("clip", "classifier", "captioner", "encoder/1_Pooling", "cross", "data/tuned/made"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "config.json").write_text("{}")
    (tmp_path / "read.onnx").write_text("a recogniser")
    (tmp_path / "encoder" / ".hidden").write_text("")
    raw = yaml.safe_load((REPOSITORY / "params.yaml").read_text())
    raw["models"]["mine"] = {"name": f"local-dir:{tmp_path}/clip", "pretrained": None, "context_length": None}
    raw["models"]["made"] = raw["models"]["mine"] | {"name": "local-dir:data/tuned/made"}
    raw["models"]["gone"] = raw["models"]["mine"] | {"name": "local-dir:nowhere"}
    raw["finetune"]["runs"]["builtin-tuned"]["base"] = "mine"
    raw["label"]["imagenet"]["model"] = "local-dir:classifier"
    raw["label"]["caption"]["model"] = "captioner"
    raw["label"]["ocr"]["model"] = "read.onnx"
    raw["systems"]["meant"]["model"] = "encoder"
    raw["systems"]["crossed"] = {"kind": "rerank", "of": "both", "by": "cross", "fields": ["ocr"]}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(raw))
    return load_params()


def test_each_model_has_a_link_to_what_it_is_loaded_from(params: Params, tmp_path: Path) -> None:
    for _ in range(2):  # a rerun makes them again
        main(params)
        links = tmp_path / "data" / "local_models"
        targets = {
            "models/mine": "clip", "bases/builtin-tuned": "clip", "labels/imagenet": "classifier",
            "labels/caption": "captioner", "labels/ocr": "read.onnx",
            "systems/meant/1_Pooling/config.json": "encoder/1_Pooling/config.json",
            "systems/crossed/config.json": "cross/config.json",
        }  # fmt: skip
        for name, target in targets.items():
            assert (links / name).resolve() == (tmp_path / target).resolve(), name
        for name in ("models/builtin", "models/siglip", "models/made", "models/gone", "labels/human"):
            assert (links / name).resolve() == (links / "README.txt").resolve(), name
        assert not (links / "systems" / "meant" / ".hidden").exists()
        assert (tmp_path / "clip" / "config.json").read_text() == "{}", "what a link leads to stays"


def test_links_of_a_project_that_is_moved_still_lead_into_it(params: Params, tmp_path: Path) -> None:
    main(params)
    moved = tmp_path.with_name("moved")
    shutil.copytree(tmp_path, moved, symlinks=True)
    assert (moved / "data/local_models/labels/caption").resolve() == (moved / "captioner").resolve()
    assert (moved / "data/local_models/models/builtin").resolve() == moved / "data/local_models/README.txt"
