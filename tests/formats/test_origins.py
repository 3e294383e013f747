"""What two sides have in common, and what is not taken for it."""

from pathlib import Path

import pytest

from text2image.base.console import InputError
from text2image.formats.origins import circular_pairs, read_origins, text_origins, weight_origins


def test_only_weights_are_origins() -> None:
    """A tokenizer or a configuration is the same in unlike models."""
    files = {
        "model.safetensors": "a",
        "tokenizer.json": "b",
        "config.json": "c",
        "encoder.onnx": "d",
        "x.txt": "e",
    }
    assert weight_origins(files, "all").keys() == {"sha256:a", "sha256:d"}


def test_a_pair_is_circular_where_two_sets_meet() -> None:
    models = {
        "clip": weight_origins({"clip.bin": "a"}, "clip"),
        "tuned": weight_origins({"new.bin": "b", "clip.bin": "a"}, "tuned"),
    }
    sources = {
        "human": text_origins("human"),
        "imagenet": text_origins("imagenet") | weight_origins({"net.pth": "a"}, "resnet"),
        "ocr": text_origins("ocr") | weight_origins({"ocr.onnx": "c"}, "rapidocr"),
    }
    assert circular_pairs(models, sources) == dict.fromkeys(
        [("clip", "imagenet"), ("tuned", "imagenet")], "labels and system share resnet"
    ), "what a name says does not matter"


def test_a_system_that_reads_the_texts_of_a_source_is_circular_with_it() -> None:
    """Whoever wrote them: people, too."""
    sources = {source: text_origins(source) for source in ("human", "ocr")}
    systems = {"words": text_origins("ocr"), "captions": text_origins("human"), "clip": {}}
    assert circular_pairs(systems, sources) == {
        ("words", "ocr"): "labels and system share the texts of ocr",
        ("captions", "human"): "labels and system share the texts of human",
    }


def test_a_hash_that_a_person_wrote_is_the_same_in_any_case_and_is_refused_without_its_kind(
    tmp_path: Path,
) -> None:
    """PowerShell prints hashes in upper case; one that met nothing would let a circular pair pass for a test."""
    path = tmp_path / "origins.json"
    path.write_text('{"SHA256:AB12": "base", "service:OpenAI GPT": "a service"}')
    assert read_origins(path) == {"sha256:ab12": "base", "service:OpenAI GPT": "a service"}
    path.write_text('{"ab12": "base"}')
    with pytest.raises(InputError, match=r"origins\.json, found 'ab12', which does not say its kind"):
        read_origins(path)
