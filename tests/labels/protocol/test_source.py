"""All label sources: found by their folders, imported in no time, and answers that are found again."""

import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

import text2image.labels
from tests.support.earlier import OPENAI_SETTINGS
from tests.support.workplace import REPOSITORY
from text2image.base.store import fingerprint
from text2image.encoders.builtin.package import EFFICIENTNET
from text2image.labels.protocol.answers import all_determinants
from text2image.labels.protocol.source import (
    SOURCES,
    ComputedSource,
    FreeSource,
    PaidSource,
    StoredSource,
    load_source,
    source_class,
)
from text2image.params import Params

HEAVY = ("torch", "open_clip", "transformers", "timm", "openai", "rapidocr", "onnxruntime", "huggingface_hub")

KEYS = {
    "imagenet": "f755f0ce88137904970ade7e",
    "ocr": "6118d0d800a7e3b41fd1ca4f",
    "openai": "a2de33182fc47d208c9cd73c",
}
"""What answers were stored under before sources had kinds, with the parameters and the packages' models of then; of imagenet,
since its images are resized as those that are embedded."""


def test_the_sources_are_the_folders() -> None:
    assert SOURCES == ("caption", "human", "imagenet", "ocr", "openai")
    kinds = {name: source_class(name).__mro__[1] for name in SOURCES}
    assert kinds == {
        "caption": ComputedSource,
        "human": FreeSource,
        "imagenet": ComputedSource,
        "ocr": ComputedSource,
        "openai": PaidSource,
    }


@pytest.mark.parametrize("name", [*SOURCES, ""])
def test_importing_a_source_imports_no_model_and_no_client(name: str) -> None:
    module = f"text2image.labels.{name}.source" if name else "text2image.params"
    script = f"import sys, {module}; print([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_no_source_imports_another() -> None:
    (root,) = text2image.labels.__path__
    for name in SOURCES:
        for path in Path(root, name).rglob("*.py"):
            others = [other for other in SOURCES if other != name and f"labels.{other}" in path.read_text()]
            assert not others, path


def test_no_answer_that_was_stored_is_asked_for_again(defaults: Params) -> None:
    source = load_source("openai", type(defaults.label.openai)(**OPENAI_SETTINGS))
    assert isinstance(source, StoredSource)
    assert fingerprint(all_determinants(source)) == KEYS["openai"]
    for name in ("imagenet", "ocr"):
        source = load_source(name, defaults.label.settings(name))
        assert isinstance(source, StoredSource)
        assert fingerprint(all_determinants(source)) == KEYS[name]


@pytest.mark.parametrize("name", ["imagenet", "ocr", "openai"])
def test_another_decoding_makes_new_answers(
    name: str, defaults: Params, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = load_source(name, defaults.label.settings(name))
    assert isinstance(source, StoredSource)
    before = all_determinants(source)
    monkeypatch.setattr("text2image.collection.images.DECODING", 2)
    assert all_determinants(source) == before | {"decoding": 2}


def test_every_source_says_what_wrote_its_texts(defaults: Params) -> None:
    written_by = {
        name: load_source(name, defaults.label.settings(name)).origins()
        for name in SOURCES
        if name != "caption"
    }
    assert written_by.pop("human") == {}, "people are no network"
    assert {name: set(origins.values()) for name, origins in written_by.items()} == {
        "imagenet": {f"{EFFICIENTNET.name} {version(EFFICIENTNET.name)}"},
        "ocr": {"rapidocr"},
        "openai": {f"{defaults.label.openai.model} of OpenAI"},
    }
    hashes = [identity for name in ("imagenet", "ocr") for identity in written_by[name]]
    assert all(identity.startswith("sha256:") for identity in hashes)


def test_determinants_are_json(defaults: Params) -> None:
    for name in ("imagenet", "ocr", "openai"):
        source: Any = load_source(name, defaults.label.settings(name))
        assert json.loads(json.dumps(source.determinants())) == source.determinants()
