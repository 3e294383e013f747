"""Captioners of several kinds: alone and in batches, with prompts and beams, and loaded from nothing but weights."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from transformers import AutoImageProcessor

from tests.support.tiny_captioners import SAVERS, Describe, settings
from text2image.base.console import InputError
from text2image.collection.images import open_image
from text2image.collection.manifest import ImageFile
from text2image.labels.caption.captioner import alone, load

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("offline")]


@pytest.mark.parametrize("kind", SAVERS)
@pytest.mark.parametrize("num_beams", [1, 3])
def test_text_is_the_same_alone_and_in_a_batch(
    folders: dict[str, Path], images: list[ImageFile], describe: Describe, kind: str, num_beams: int
) -> None:
    wanted = settings(folders[kind], num_beams=num_beams)
    alone = describe(images, wanted)
    together = describe(images, wanted, 4)
    assert [image_id for image_id, _ in alone] == [image.image_id for image in images]
    assert [(key, answer.get("caption")) for key, answer in together] == [
        (key, answer.get("caption")) for key, answer in alone
    ]
    assert alone == describe(images, wanted)
    assert len({answer.get("caption") for _, answer in alone}) > 1
    for (_, one), (_, other) in zip(alone, together, strict=True):
        assert one.get("confidence") == pytest.approx(other.get("confidence"), abs=1e-4)


@pytest.mark.parametrize("backend", ["torchvision", "pil"])
@pytest.mark.parametrize("size", [(61, 40), (40, 61), (3, 3), (1, 50), (200, 1)])
def test_an_image_processor_gives_the_same_for_tensors_and_pictures(
    folders: dict[str, Path], backend: str, size: tuple[int, int]
) -> None:
    processor = AutoImageProcessor.from_pretrained(folders["encoder-decoder"], backend=backend)
    assert processor.backend == backend
    picture = Image.effect_noise(size, 90).convert("RGB")
    picture.paste((255, 0, 60), (0, 0, 2, 2))
    ours = alone(processor)([picture, picture])["pixel_values"]
    assert torch.equal(ours, processor([picture, picture], return_tensors="pt")["pixel_values"])
    assert isinstance(ours, torch.Tensor) and len(ours) == 2


def test_prompts_of_different_length_are_padded_on_the_left(
    folders: dict[str, Path], images: list[ImageFile]
) -> None:
    """Qwen-VL gives an image as many tokens as it has patches."""
    features = load(settings(folders["qwen2-vl"])).prepare([open_image(image) for image in images])
    lengths = features["attention_mask"].sum(dim=1)
    assert len(set(lengths.tolist())) > 1
    assert (features["attention_mask"][:, -1] == 1).all()


def test_the_prompt_reaches_the_model(
    folders: dict[str, Path], images: list[ImageFile], describe: Describe
) -> None:
    model = load(settings(folders["llava"], prompt="Name this dog"))
    features = model.prepare([open_image(images[0])])
    assert model.tokenizer.decode(features["input_ids"][0], skip_special_tokens=True) == "Namethisdog"
    texts = [
        [answer for _, answer in describe(images, settings(folders["llava"], prompt=prompt))]
        for prompt in ("Describe this image", "Name a red cat")
    ]
    assert texts[0] != texts[1]


@pytest.mark.parametrize("kind", SAVERS)
def test_beams_and_length_reach_the_model(
    folders: dict[str, Path], images: list[ImageFile], describe: Describe, kind: str
) -> None:
    def answers(**changed: Any) -> list[Any]:
        return [answer for _, answer in describe(images, settings(folders[kind], **changed))]

    assert answers(num_beams=1) != answers(num_beams=4)
    assert answers(max_new_tokens=1) != answers(max_new_tokens=6)


@pytest.mark.parametrize("kind", SAVERS)
@pytest.mark.parametrize("num_beams", [1, 3])
def test_confidence_is_the_mean_token_probability(
    folders: dict[str, Path], images: list[ImageFile], kind: str, num_beams: int
) -> None:
    """Against transformers' own account of the chosen tokens."""
    model = load(settings(folders[kind], num_beams=num_beams))
    features = model.prepare([open_image(image) for image in images])
    ours = [confidence for _, confidence in model.generate(features, model.network)]
    output = model.network.generate(
        **features,
        do_sample=False,
        num_beams=num_beams,
        max_new_tokens=6,
        return_dict_in_generate=True,
        output_scores=True,
    )
    chosen = model.network.compute_transition_scores(
        output.sequences, output.scores, getattr(output, "beam_indices", None), normalize_logits=True
    )
    tokens = output.sequences[:, -chosen.shape[1] :]
    for row, own, confidence in zip(tokens.tolist(), chosen, ours, strict=True):
        length = row.index(0) + 1 if 0 in row else len(row)
        assert confidence == pytest.approx(own[:length].mean().exp().item(), abs=1e-4)


def test_a_checkpoint_of_the_older_layout_gives_the_same(
    folders: dict[str, Path], images: list[ImageFile], describe: Describe, tmp_path: Path
) -> None:
    """As nlpconnect/vit-gpt2-image-captioning is laid out: .bin weights, a feature extractor, one config."""
    new = folders["encoder-decoder"]
    config = json.loads((new / "config.json").read_text())
    config |= {"decoder_start_token_id": 0, "eos_token_id": 0, "pad_token_id": 1}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "preprocessor_config.json").write_text(
        json.dumps(
            {
                "feature_extractor_type": "ViTFeatureExtractor",
                "do_normalize": True,
                "do_resize": True,
                "image_mean": [0.5] * 3,
                "image_std": [0.5] * 3,
                "resample": 2,
                "size": 16,
            }
        )
    )
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (tmp_path / name).write_bytes((new / name).read_bytes())
    torch.save(load_file(new / "model.safetensors"), tmp_path / "pytorch_model.bin")
    assert describe(images, settings(tmp_path)) == describe(images, settings(new))


@pytest.mark.parametrize("model", ["nobody/has-this-model", "/no/such/folder"])
def test_a_model_that_cannot_be_had_is_one_sentence(
    images: list[ImageFile], describe: Describe, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "sleep", lambda seconds: None)  # huggingface_hub tries again after a while
    with pytest.raises(InputError, match=r"label\.caption\.model.*HF_HOME") as caught:
        describe(images, settings(model))
    assert model in str(caught.value)
    assert "\n" not in str(caught.value)


def test_code_that_comes_with_a_model_is_not_run(
    tmp_path: Path, images: list[ImageFile], describe: Describe
) -> None:
    (tmp_path / "config.json").write_text(
        '{"model_type": "its-own", "auto_map": {"AutoConfig": "own.Config", "AutoModelForImageTextToText": "own.Model"}}'
    )
    (tmp_path / "own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    with pytest.raises(InputError, match="trust_remote_code"):
        describe(images, settings(tmp_path))
    assert not (tmp_path / "ran").exists()


def test_pickled_weights_are_not_unpickled(
    folders: dict[str, Path], tmp_path: Path, images: list[ImageFile], describe: Describe
) -> None:
    class Evil:
        def __reduce__(self) -> Any:
            return (open, (str(tmp_path / "ran"), "w"))

    for path in folders["encoder-decoder"].iterdir():
        if path.suffix != ".safetensors":
            (tmp_path / path.name).write_bytes(path.read_bytes())
    torch.save({"weight": Evil()}, tmp_path / "pytorch_model.bin")
    with pytest.raises(InputError, match=r"label\.caption\.model"):
        describe(images, settings(tmp_path))
    assert not (tmp_path / "ran").exists()
