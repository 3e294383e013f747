"""params.yaml: what is wrong with it is one sentence."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.pipeline import REPOSITORY
from text2image.base.console import InputError
from text2image.params import load_params


def changed(tmp_path: Path, key: str, value: Any) -> Path:
    """Write the project's params.yaml with one key changed; ``value`` None deletes it."""
    params = yaml.safe_load((REPOSITORY / "params.yaml").read_text())
    *parents, last = key.split(".")
    section = params
    for parent in parents:
        section = section[parent]
    section[last] = value
    if value is None:
        del section[last]
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump(params))
    return path


def test_the_projects_own_params_are_valid() -> None:
    params = load_params(REPOSITORY / "params.yaml")
    assert params.embed.models == ["builtin"]
    assert {"siglip", "siglip2-b16", "clip-b32", "clip-l14-dfn", "siglip-so400m"} < set(params.models)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("label.sources", ["human", "nobody"], r"label\.sources: expected some of caption, human, .*nobody"),
        ("label.imagenet.treshold", 0.5, r"label\.imagenet\.treshold: unknown key"),
        ("label.imagenet.threshold", "high", r"label\.imagenet\.threshold: .*number.*'high'"),
        ("label.imagenet.threshold", 1.5, r"label\.imagenet\.threshold: .*1\.5"),
        ("evaluate.k", [5, 1], r"evaluate\.k: .*increasing.*\[5, 1\]"),
        ("evaluate.k", [], r"evaluate\.k: "),
        ("embed.models", ["nobody"], r"embed\.models: .*'nobody'"),
        ("embed.models", [], r"embed\.models: expected at least one"),
        ("embed.precision", "fp8", r"embed\.precision: .*'fp8'"),
        ("models.a@b", {"name": "x", "pretrained": None, "context_length": None}, r"models\.a@b"),
        ("catalog", None, "catalog: missing key"),
        ("catalog.max_pixels", 10**9, r"catalog\.max_pixels: .*178956970.*1000000000"),
        (
            "systems.words",
            {"kind": "meaning", "fields": ["ocr"], "model": "siglip"},
            r"systems\.words\.model: expected one of embed\.models, found 'siglip'",
        ),
        ("runtime.device", "gpu", r"runtime\.device: "),
    ],
)
def test_a_wrong_value_is_one_sentence(tmp_path: Path, key: str, value: Any, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        load_params(changed(tmp_path, key, value))
    assert "params.yaml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_files_that_are_no_params(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        load_params(tmp_path / "params.yaml")
    (tmp_path / "params.yaml").write_text("a: [1")
    with pytest.raises(InputError, match="expected YAML"):
        load_params(tmp_path / "params.yaml")
    (tmp_path / "params.yaml").write_text("")
    with pytest.raises(InputError, match="the file: "):
        load_params(tmp_path / "params.yaml")
