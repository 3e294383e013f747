"""Licences, where models say them."""

from __future__ import annotations

from pathlib import Path

import pytest
from huggingface_hub import constants

from text2image.encoders.builtin.assemble import MODEL_CARD
from text2image.encoders.models.licence import licence_of
from text2image.encoders.settings import Model


def directory_model(folder: Path) -> Model:
    return Model(name=f"local-dir:{folder}", pretrained=None, context_length=None)


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"README.md": MODEL_CARD}, "apache-2.0"),
        ({"README.md": "---\nlicense: other\nlicense_name: apple-amlr\n---\n"}, "apple-amlr"),
        ({"README.md": "no front matter", "LICENSE.txt": "\n  MIT License\n\nCopyright"}, "MIT License"),
        ({"README.md": "---\ntags: [clip]\n---\n"}, "unknown"),
        ({"README.md": "---\n: [\n---\n"}, "unknown"),
        ({}, "unknown"),
    ],
)
def test_a_licence_is_read_and_never_guessed(tmp_path: Path, files: dict[str, str], expected: str) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert licence_of(directory_model(tmp_path)) == expected


def test_a_licence_that_cannot_be_looked_up_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert licence_of(Model(name="RN50", pretrained="openai", context_length=None)) == "unknown"
    assert licence_of(directory_model(Path("nowhere"))) == "unknown"
