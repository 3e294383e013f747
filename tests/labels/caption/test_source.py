"""Label source ``caption``: the real code on tiny models with random weights, saved to a folder."""

from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from tests.support.networks import picture, write_pictures
from tests.support.pictures import image_file
from tests.support.tiny_captioners import Describe, settings
from text2image.base.console import InputError
from text2image.base.settings import Runtime
from text2image.base.store import Store
from text2image.collection.manifest import ImageFile
from text2image.formats.files import sha256
from text2image.labels.caption.captioner import Captioner, load
from text2image.labels.caption.source import Source
from text2image.labels.protocol.answers import all_determinants, collect_answers, store_kind
from text2image.labels.protocol.source import Label, NoLabel

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("offline")]


def test_labels_and_reasons(folders: dict[str, Path], images: list[ImageFile], describe: Describe) -> None:
    wanted = settings(folders["encoder-decoder"])
    source = Source(wanted)
    answers = dict(describe(images, wanted))
    labels = [item for image_id, answer in answers.items() for item in source.read(image_id, answer)]
    assert any(isinstance(item, Label) for item in labels)
    assert all(0 < item.confidence <= 1 for item in labels if isinstance(item, Label) and item.confidence)
    assert list(source.read("id", {"failure": "empty answer"})) == [NoLabel("id", "empty answer")]


def test_an_empty_answer_is_a_failure(
    folders: dict[str, Path], images: list[ImageFile], describe: Describe, tmp_path: Path
) -> None:
    model = load(settings(folders["encoder-decoder"]))
    with torch.no_grad():
        model.network.decoder.lm_head.weight[:] = (
            0  # all are equally probable, and the end is the first of them
        )
    for path in folders["encoder-decoder"].iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    model.network.save_pretrained(tmp_path)
    answers = describe(images[:2], settings(tmp_path, num_beams=1))
    assert [answer for _, answer in answers] == [{"failure": "empty answer"}] * 2


def test_an_image_that_the_model_cannot_take_spoils_no_other(
    folders: dict[str, Path], images: list[ImageFile], describe: Describe, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare = Captioner.prepare

    def fussy(self: Captioner, pictures: list[Image.Image]) -> Any:
        if any(picture.width == 38 for picture in pictures):
            raise ValueError("absolute aspect ratio must be smaller than 200")
        return prepare(self, pictures)

    expected = dict(describe(images, settings(folders["llava"])))
    monkeypatch.setattr(Captioner, "prepare", fussy)
    answers = dict(describe(images, settings(folders["llava"]), 4))
    strange = images[2].image_id
    assert answers.pop(strange) == {"failure": "the model cannot take this image (ValueError)"}
    del expected[strange]
    assert {key: answer.get("caption") for key, answer in answers.items()} == {
        key: answer.get("caption") for key, answer in expected.items()
    }


def test_large_images_are_scaled_down(folders: dict[str, Path], tmp_path: Path, describe: Describe) -> None:
    path = tmp_path / "large.png"
    Image.effect_noise((3000, 1200), 60).save(path)
    sizes: list[tuple[int, int]] = []
    model = settings(folders["qwen2-vl"], max_side=100)
    with pytest.MonkeyPatch.context() as patch:
        prepare = Captioner.prepare

        def watched(self: Captioner, pictures: list[Image.Image]) -> Any:
            sizes.extend(picture.size for picture in pictures)
            return prepare(self, pictures)

        patch.setattr(Captioner, "prepare", watched)
        describe([image_file(path)], model)
    assert sizes == [(100, 40)]


def test_determinants_hold_what_changes_the_answers(folders: dict[str, Path], tmp_path: Path) -> None:
    def key(model: Path, **changed: Any) -> dict[str, Any]:
        return Source(settings(model, **changed)).determinants()

    first = key(folders["llava"])
    assert key(folders["llava"], trust_remote_code=True) == first
    for changed in ({"prompt": "Name it"}, {"num_beams": 5}, {"max_new_tokens": 9}, {"max_side": 99}):
        assert key(folders["llava"], **changed) != first
    moved = tmp_path / "moved"
    moved.symlink_to(folders["llava"])
    assert key(moved) == first
    weights = sha256(folders["llava"] / "model.safetensors")
    assert Source(settings(folders["llava"])).origins() == {f"sha256:{weights}": str(folders["llava"])}
    assert key(folders["encoder-decoder"]) != first


@pytest.mark.usefixtures("own_cache")
@pytest.mark.parametrize("batch_size", [1, 4])
def test_what_a_replaced_file_shows_is_not_the_images(
    folders: dict[str, Path], tmp_path: Path, runtime: Runtime, batch_size: int
) -> None:
    images = write_pictures(tmp_path, 4)
    picture(61, 70, 99).save(str(images[1].path))
    source = Source(settings(folders["qwen2-vl"]))
    with pytest.raises(InputError, match=r"1\.png as data/catalog\.csv lists it"):
        collect_answers("caption", source, images, runtime.model_copy(update={"batch_size": batch_size}))
    with Store(store_kind("caption"), all_determinants(source)) as store:
        kept = {key for key, _ in store.get(image.key for image in images)}
    right = [images[0]] if batch_size == 1 else [images[0], *images[2:]]
    assert kept == {image.key for image in right}, "and those beside it are kept"
