"""Classifiers of timm's: answers are stored under the hashes of the files that they are loaded from."""

import json
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from PIL import Image
from safetensors.torch import save_file

from tests.support.hub_cache import HubCache
from tests.support.pictures import image_file
from text2image.base.console import InputError
from text2image.base.settings import Runtime
from text2image.collection.manifest import ImageFile
from text2image.formats.files import sha256
from text2image.labels.imagenet.source import Settings, Source
from text2image.labels.protocol.answers import collect_answers

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("offline")]

NAME = "test_efficientnet.r160_in1k"
REPOSITORY = f"timm/{NAME}"


def save_model(folder: Path, seed: int, classes: int = 1000) -> Path:
    """Write a tiny model with random weights as the hub has them."""
    folder.mkdir(exist_ok=True)
    torch.manual_seed(seed)
    network = timm.create_model("test_efficientnet", num_classes=classes)
    save_file(network.state_dict(), folder / "model.safetensors")
    config = {
        "architecture": "test_efficientnet",
        "num_classes": classes,
        "pretrained_cfg": {"crop_pct": 0.9},
    }
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def source(model: str) -> Source:
    return Source(Settings(model=model, threshold=0.0))


@pytest.fixture
def images(tmp_path: Path, own_cache: None) -> list[ImageFile]:
    Image.effect_noise((40, 30), 90).convert("RGB").save(tmp_path / "0.png")
    return [image_file(tmp_path / "0.png")]


@pytest.mark.parametrize("model", [NAME, f"hf-hub:{REPOSITORY}"])
def test_moved_weights_make_new_answers(
    hub: HubCache, images: list[ImageFile], runtime: Runtime, tmp_path: Path, model: str
) -> None:
    answers: list[dict[str, Any]] = []
    for seed in (1, 2, 1):
        hub.publish(REPOSITORY, save_model(tmp_path / "model", seed))
        answers.append(collect_answers("imagenet", source(model), images, runtime))
        files = source(model).determinants()["files"]
        assert files["model.safetensors"] == sha256(tmp_path / "model" / "model.safetensors")
    assert answers[0] != answers[1]
    assert answers[0] == answers[2], "weights that come back find their answers"
    assert len(list((tmp_path / ".cache/labels/imagenet").glob("*.sqlite"))) == 2


def test_other_files_of_the_repository_ask_nothing_again(hub: HubCache, tmp_path: Path) -> None:
    folder = save_model(tmp_path / "model", 1)
    hub.publish(REPOSITORY, folder)
    key = source(NAME).determinants()
    assert key["preprocessing"]["crop_pct"] == 0.95, "timm's own"
    (folder / "README.md").write_text("About the model.")
    hub.publish(REPOSITORY, folder)
    assert source(NAME).determinants() == key


def test_the_weights_of_the_key_are_loaded(
    hub: HubCache, images: list[ImageFile], runtime: Runtime, tmp_path: Path
) -> None:
    """Against a network that holds these weights."""
    from text2image.labels.imagenet.classifier import load_timm

    hub.publish(REPOSITORY, save_model(tmp_path / "model", 5))
    network, _ = load_timm(NAME)
    torch.manual_seed(5)
    expected = timm.create_model("test_efficientnet", num_classes=1000).state_dict()
    assert all(torch.equal(value, expected[name]) for name, value in network.state_dict().items())


def test_a_folder_is_known_by_what_is_in_it(
    images: list[ImageFile], runtime: Runtime, tmp_path: Path
) -> None:
    name = f"local-dir:{save_model(tmp_path / 'model', 1)}"
    key = source(name).determinants()
    first = collect_answers("imagenet", source(name), images, runtime)
    save_model(tmp_path / "model", 2)
    assert source(name).determinants() != key
    assert collect_answers("imagenet", source(name), images, runtime) != first


@pytest.mark.parametrize(
    "model", [NAME, f"hf-hub:{REPOSITORY}", "no_such_model", "nobody/nothing", "local-dir:x"]
)
def test_a_model_that_cannot_be_had_is_one_sentence(hub: HubCache, model: str) -> None:
    for look in (source(model).fetch, source(model).determinants):
        with pytest.raises(InputError, match=r"label\.imagenet\.model.*HF_HOME.*builtin") as caught:
            look()
        assert model in str(caught.value) and "\n" not in str(caught.value)


def test_other_classes_are_one_sentence(hub: HubCache, runtime: Runtime, tmp_path: Path) -> None:
    name = f"local-dir:{save_model(tmp_path / 'model', 1, classes=7)}"
    with pytest.raises(InputError, match="1000 classes, found 7"):
        source(name).load(runtime)
