"""A tokenizer that gives unlike texts the same tokens is refused, early and by everybody who loads one."""

from pathlib import Path

import pytest

from tests.support.pipeline import random_checkpoint
from tests.support.tokenizers import clip, minilm
from text2image.base.console import InputError
from text2image.encoders.models.card import describe
from text2image.encoders.models.load import load_tokenizer
from text2image.encoders.models.local_dir import load_local_dir, load_local_tokenizer
from text2image.encoders.settings import Model

REFUSED = (
    r"expected a tokenizer that tells texts apart for .*model, found one that gives 'a red shoe' and 'the old house' the "
    r"same tokens; put the model's tokenizer files beside its weights: tokenizer\.json or"
)


@pytest.mark.parametrize("context_length", [3, 64])
def test_tokenizers_that_tell_texts_apart_are_loaded(tmp_path: Path, context_length: int) -> None:
    for card in (
        minilm(tmp_path / "minilm", context_length=context_length),
        clip(tmp_path / "clip", context_length=context_length),
    ):
        assert load_tokenizer("some", card)(["a red shoe"]).shape == (1, context_length)


@pytest.mark.parametrize("files", [("config.json",), ("config.json", "tokenizer_config.json")], ids=len)
def test_a_directory_without_its_tokenizer_files_is_refused(tmp_path: Path, files: tuple[str, ...]) -> None:
    card = minilm(tmp_path / "model", files=files)
    with pytest.raises(InputError, match=REFUSED):
        load_tokenizer("some", card)
    with pytest.raises(InputError, match=REFUSED):
        load_local_tokenizer(tmp_path / "model", None)
    with pytest.raises(InputError, match=REFUSED):
        describe("some", Model(name=card["name"], pretrained=None, context_length=None))


def test_a_context_that_holds_no_word_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="tells texts apart"):
        load_local_tokenizer(Path(clip(tmp_path / "clip", context_length=2)["name"][10:]), 2)


def test_a_tokenizer_of_another_model_is_refused(tmp_path: Path) -> None:
    """Texts ended in a bare "index out of range in self"."""
    text = {"context_length": 16, "vocab_size": 30000, "width": 16, "heads": 1, "layers": 1}
    vision = {"image_size": 32, "layers": 1, "width": 32, "patch_size": 16, "head_width": 16}
    random_checkpoint(tmp_path / "model", {"embed_dim": 16, "vision_cfg": vision, "text_cfg": text})
    _, _, tokenize = load_local_dir(tmp_path / "model")
    with pytest.raises(
        InputError, match=r"of the 30,000 tokens .*model, found one with token 49,407: it is another"
    ):
        tokenize(["a red shoe"])
