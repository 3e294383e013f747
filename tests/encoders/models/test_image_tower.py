"""Models that are loaded for images only: no text tower, and the same vectors."""

import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.support.networks import write_pictures
from tests.support.pipeline import REPOSITORY, tiny_bert_model, tiny_model
from tests.support.tokenizers import card
from text2image.base.console import InputError
from text2image.encoders.embedding import embed_images
from text2image.encoders.models.load import EmbeddingModel, load_model
from text2image.encoders.vectors import Card
from text2image.params import load_params

WEIGHTS = "open_clip_model.safetensors"


@pytest.fixture
def described(tmp_path: Path) -> Card:
    tiny_bert_model(tmp_path / "model")
    return card(tmp_path / "model", None)


def load(described: Card, *, images_only: bool, precision: str = "fp32") -> EmbeddingModel:
    return load_model("tiny", described, "cpu", precision, images_only=images_only)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_vectors_without_the_text_tower_are_the_same_bytes(
    described: Card, precision: str, tmp_path: Path
) -> None:
    whole, alone = (load(described, images_only=only, precision=precision) for only in (False, True))
    assert hasattr(whole.network, "text")
    assert not hasattr(alone.network, "text")
    assert alone.key == whole.key
    images, runtime = write_pictures(tmp_path, 3), load_params(REPOSITORY / "params.yaml").runtime
    vectors = [
        b"".join(rows.tobytes() for _, rows in embed_images(model, images, runtime))
        for model in (whole, alone)
    ]
    assert vectors[0] == vectors[1]
    assert len(vectors[0]) == 3 * 16 * 4
    with pytest.raises(RuntimeError, match="images only"):
        alone.tokenize(["a red shoe"])


@pytest.mark.parametrize("change", ["another format", "a second checkpoint", "names of a wrapped model"])
def test_where_weights_cannot_be_read_in_part_the_model_is_loaded_whole(
    described: Card, change: str, tmp_path: Path
) -> None:
    path = tmp_path / "model" / WEIGHTS
    weights = load_file(path)
    if change == "another format":
        torch.save(weights, path.with_name("open_clip_pytorch_model.bin"))
        path.unlink()
    elif change == "a second checkpoint":
        shutil.copyfile(path, path.with_name("another.safetensors"))
    else:
        save_file({f"module.{name}": value for name, value in weights.items()}, path)
    model = load(card(tmp_path / "model", None), images_only=True)
    assert hasattr(model.network, "text")
    assert torch.equal(model.network.get_parameter("visual.proj"), weights["visual.proj"])


def test_a_text_tower_of_open_clip_is_loaded_as_ever(tmp_path: Path) -> None:
    tiny_model(tmp_path / "model")
    assert hasattr(load(card(tmp_path / "model", None), images_only=True).network, "token_embedding")


def test_an_image_tower_that_lacks_weights_is_refused(described: Card, tmp_path: Path) -> None:
    path = tmp_path / "model" / WEIGHTS
    weights = load_file(path)
    del weights["visual.conv1.weight"]
    save_file(weights, path)
    with pytest.raises(InputError, match=r"visual\.conv1\.weight"):
        load(card(tmp_path / "model", None), images_only=True)
