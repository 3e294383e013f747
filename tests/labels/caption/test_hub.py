"""Captioners on the Hugging Face hub: answers are stored under a commit, and the model is loaded from it."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.support.hub_cache import HubCache
from tests.support.tiny_captioners import save_encoder_decoder
from text2image.base.console import InputError
from text2image.base.settings import Runtime
from text2image.collection.manifest import ImageFile
from text2image.labels.caption.source import Settings, Source
from text2image.labels.protocol.answers import collect_answers

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("offline")]

NAME = "somebody/captioner"


def settings(revision: str | None = None) -> Settings:
    return Settings(
        model=NAME, revision=revision, prompt=None, num_beams=1, max_new_tokens=4, max_side=64,
        trust_remote_code=False,
    )  # fmt: skip


def move_weights(folder: Path) -> None:
    """Make all words equally probable, so that the model says nothing."""
    from transformers import VisionEncoderDecoderModel

    network = VisionEncoderDecoderModel.from_pretrained(folder)
    with torch.no_grad():
        network.decoder.lm_head.weight[:] = 0
    network.save_pretrained(folder)


@pytest.mark.usefixtures("own_cache")
def test_moved_weights_make_new_answers(
    hub: HubCache, images: list[ImageFile], runtime: Runtime, tmp_path: Path
) -> None:
    def answers(revision: str | None = None) -> dict[str, Any]:
        return collect_answers("caption", Source(settings(revision)), images, runtime)

    save_encoder_decoder(tmp_path / "model")
    first_commit = hub.publish(NAME, tmp_path / "model")
    first = answers()
    assert any("caption" in answer for answer in first.values())
    key = Source(settings()).determinants()
    assert (key["model"], key["revision"]) == (NAME, first_commit)

    move_weights(tmp_path / "model")
    second_commit = hub.publish(NAME, tmp_path / "model")
    assert second_commit != first_commit
    assert list(answers().values()) == [{"failure": "empty answer"}] * len(images)
    assert answers(first_commit) == first, "a commit names what it always named"
    assert Source(settings(first_commit)).determinants() == key
    assert len(list((tmp_path / ".cache/labels/caption").glob("*.sqlite"))) == 2


def test_the_key_names_the_weights_that_are_loaded(hub: HubCache, runtime: Runtime, tmp_path: Path) -> None:
    """What is loaded is a commit, not a branch, which may move meanwhile."""
    from text2image.labels.caption.captioner import location

    save_encoder_decoder(tmp_path / "model")
    commit = hub.publish(NAME, tmp_path / "model")
    assert location(settings())["revision"] == commit == Source(settings()).determinants()["revision"]


def test_a_model_that_is_not_in_the_cache_is_one_sentence(hub: HubCache) -> None:
    for look in (Source(settings()).fetch, Source(settings()).determinants):
        with pytest.raises(InputError, match=r"label\.caption\.model.*HF_HOME") as caught:
            look()
        assert "\n" not in str(caught.value)


def test_a_hub_out_of_reach_leaves_the_cache(
    hub: HubCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not told to be offline: the client tries, fails, and takes what is there."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text(json.dumps({}))
    commit = hub.publish(NAME, tmp_path / "model")
    source = Source(settings())
    source.fetch()
    assert source.determinants()["revision"] == commit
