"""A model is loaded only from the files that its card names."""

import os
from pathlib import Path

import pytest

from tests.support.pipeline import tiny_model
from tests.support.tokenizers import card
from text2image.base.console import InputError
from text2image.encoders.models.initialisation import WithoutInitialisation
from text2image.encoders.models.load import EmbeddingModel, load_model, load_tokenizer
from text2image.encoders.vectors import Card
from text2image.formats.files import sha256, sha256_once

WEIGHTS = "open_clip_model.safetensors"


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    tiny_model(tmp_path / "tiny")
    return tmp_path / "tiny"


def load(described: Card) -> EmbeddingModel:
    return load_model("tiny", described, "cpu", "fp32")


@pytest.mark.parametrize("name", [WEIGHTS, "open_clip_config.json", "vocab.json"])
def test_a_file_that_is_not_the_cards_is_named(tiny: Path, name: str) -> None:
    described = card(tiny, None)
    load(described)
    content = (tiny / name).read_bytes() if (tiny / name).exists() else b"{}"
    (tiny / name).write_bytes(content + b" ")
    with pytest.raises(InputError, match=rf"files of model 'tiny' .* found another {name}.*run `dvc repro`"):
        load(described)
    with pytest.raises(InputError, match=rf"found another {name}"):
        load_tokenizer("tiny", described)


def test_weights_overwritten_while_they_are_loaded_are_noticed(
    tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    described, real = card(tiny, None), WithoutInitialisation.require_filled

    def overwrite(*arguments: object) -> None:
        (tiny / WEIGHTS).write_bytes((tiny / WEIGHTS).read_bytes()[:-4] + b"\0\0\0\1")
        real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(WithoutInitialisation, "require_filled", overwrite)
    with pytest.raises(InputError, match=f"found another {WEIGHTS}"):
        load(described)


def test_a_tokenizer_that_is_read_later_is_compared_then(tiny: Path) -> None:
    model = load(card(tiny, None))
    (tiny / "vocab.json").write_text("{}")
    with pytest.raises(InputError, match=r"found another vocab\.json"):
        model.tokenize(["a"])


def test_a_digest_is_remembered_until_the_file_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "weights"
    path.write_bytes(b"one")
    before, known = path.stat(), sha256_once(path)
    assert known == sha256(path)
    path.write_bytes(b"two")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))  # a copy that keeps the time
    assert sha256_once(path) == sha256(path) != known
    monkeypatch.setattr("text2image.formats.files.sha256", lambda path: pytest.fail("read again"))
    sha256_once(path)
