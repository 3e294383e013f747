"""What a model consists of, and its licence, where it says one."""

import json
from pathlib import Path

import pytest
from huggingface_hub import constants

from tests.support.pipeline import tiny_model
from text2image.base.console import InputError
from text2image.encoders.builtin.assemble import MODEL_CARD
from text2image.encoders.models.card import describe, licence_of
from text2image.encoders.settings import Model
from text2image.encoders.vectors import image_determinants, text_determinants
from text2image.formats.files import sha256


def directory_model(folder: Path) -> Model:
    return Model(name=f"local-dir:{folder}", pretrained=None, context_length=None)


def test_an_architecture_that_cannot_be_built_has_the_size_of_its_file(tmp_path: Path) -> None:
    tiny_model(tmp_path / "tiny")
    config = tmp_path / "tiny" / "open_clip_config.json"
    changed = json.loads(config.read_text())
    changed["model_cfg"]["vision_cfg"]["timm_model_name"] = "no_such_network"
    config.write_text(json.dumps(changed))
    weights = (tmp_path / "tiny" / "open_clip_model.safetensors").stat().st_size
    assert describe("tiny", directory_model(tmp_path / "tiny"))["size"] == {"weight_bytes": weights}


@pytest.mark.parametrize(
    "config", ["", "[]", '{"model_cfg": 5}', '{"model_cfg": {"text_cfg": 1, "vision_cfg": 2}}']
)
def test_a_configuration_of_another_form_is_one_sentence(tmp_path: Path, config: str) -> None:
    tiny_model(tmp_path / "tiny")
    (tmp_path / "tiny" / "open_clip_config.json").write_text(config)
    with pytest.raises(InputError, match="expected an open_clip checkpoint in ") as caught:
        describe("tiny", directory_model(tmp_path / "tiny"))
    assert "\n" not in str(caught.value)


def test_a_model_card_and_a_licence_change_no_key_of_an_embedding(tmp_path: Path) -> None:
    tiny_model(tmp_path / "tiny")
    before = describe("tiny", directory_model(tmp_path / "tiny"))
    (tmp_path / "tiny" / "README.md").write_text("new")
    (tmp_path / "tiny" / "LICENSE").write_text("new")
    after = describe("tiny", directory_model(tmp_path / "tiny"))
    assert image_determinants(before, "fp32") == image_determinants(after, "fp32")
    assert "size" not in image_determinants(after, "fp32")


def test_a_card_names_the_weights_that_a_model_goes_back_to_and_no_vector_depends_on_it(
    tmp_path: Path,
) -> None:
    tiny_model(tmp_path / "tiny")
    before = describe("tiny", directory_model(tmp_path / "tiny"))
    weights = sha256(tmp_path / "tiny" / "open_clip_model.safetensors")
    assert before["origins"] == {f"sha256:{weights}": "tiny"}
    base = tmp_path / "tiny" / "origins.json"
    base.write_text('{"sha256:ab": "another"}')
    after = describe("tiny", directory_model(tmp_path / "tiny"))
    assert after["origins"] == {"sha256:ab": "another"} | before["origins"]
    assert image_determinants(before, "fp32") == image_determinants(after, "fp32")
    assert text_determinants(before, "fp32") == text_determinants(after, "fp32")
    for wrong in ("[", '["sha256:ab"]', '{"sha256:ab": 1}'):
        base.write_text(wrong)
        with pytest.raises(InputError, match=r"expected an object .* in .*origins\.json, found: "):
            describe("tiny", directory_model(tmp_path / "tiny"))


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
