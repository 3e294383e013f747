"""What pictures are preprocessed to, to the last bit, beside the version that it belongs to; and keys of the store.

Torch's resize of uint8 has whole numbers for weights, so that processors with and without vector code agree.
"""

import hashlib
from pathlib import Path
from typing import Any

import pytest
import torch
from open_clip.transform import image_transform

from tests.support.pictures import golden_picture
from text2image.base.store import fingerprint
from text2image.collection.manifest import ImageFile
from text2image.encoders.embedding import unit_rows
from text2image.encoders.images.decoding import to_tensor
from text2image.encoders.images.preprocessing import preprocessing
from text2image.encoders.models.local_dir import without_padding_columns
from text2image.encoders.vectors import PREPROCESSING, VECTORS, image_determinants, text_determinants

GOLDEN_PREPROCESSING = 2
GOLDEN_INPUTS = {
    "shortest: wide": "681a4ef47397",
    "shortest: high": "91fb4c6640f4",
    "shortest: small": "b03b40763c82",
    "shortest: of the right size": "29386a63a294",
    "shortest, bilinear: wide": "8f264b6d92e1",
    "shortest, bilinear: high": "a6440b1f24bb",
    "shortest, bilinear: small": "c355fcaf6c0c",
    "shortest, bilinear: of the right size": "29386a63a294",
    "squash: wide": "90307103218e",
    "squash: high": "bdf0cbff9a0a",
    "squash: small": "b5af3c9c8fc8",
    "squash: of the right size": "29386a63a294",
    "squash, bilinear: wide": "f2f0a5a15614",
    "squash, bilinear: high": "7fd464fecbe5",
    "squash, bilinear: small": "ad79dad405e5",
    "squash, bilinear: of the right size": "29386a63a294",
    "squash to an oblong: wide": "0e43f8b56893",
    "squash to an oblong: high": "b6da08f166a2",
    "squash to an oblong: small": "5b3a16ffb94f",
    "squash to an oblong: of the right size": "6e76428b1765",
}

WAYS: dict[str, dict[str, Any]] = {
    "shortest": {"resize_mode": "shortest"},
    "shortest, bilinear": {"resize_mode": "shortest", "interpolation": "bilinear"},
    "squash": {"resize_mode": "squash"},
    "squash, bilinear": {"resize_mode": "squash", "interpolation": "bilinear"},
    "squash to an oblong": {"resize_mode": "squash", "image_size": (24, 40)},
}
SIZES = {"wide": (90, 61), "high": (47, 83), "small": (20, 9), "of the right size": (32, 32)}

CARD: dict[str, Any] = {
    "name": "local-dir:data/models/some",
    "pretrained": None,
    "context_length": 64,
    "files": {"open_clip_config.json": "ab" * 32, "open_clip_model.safetensors": "cd" * 32},
    "size": {"weight_bytes": 1},
}


def input_hash(way: str, size: tuple[int, int]) -> str:
    options: dict[str, Any] = {
        "image_size": 32,
        "mean": (0.48, 0.46, 0.41),
        "std": (0.27, 0.26, 0.28),
    } | WAYS[way]
    transform = image_transform(is_train=False, **options)
    ready = preprocessing(transform)
    assert ready.resize is not None
    levels = ready.prepare(to_tensor(golden_picture(*size)), ImageFile("", Path()))
    pixels = ready.normalise(levels[None])[0].contiguous()
    return hashlib.sha256(pixels.numpy().tobytes()).hexdigest()[:12]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("way", WAYS)
def test_inputs_are_those_of_the_version(way: str, size: str) -> None:
    given = (PREPROCESSING, input_hash(way, SIZES[size]))
    assert given == (GOLDEN_PREPROCESSING, GOLDEN_INPUTS.get(f"{way}: {size}")), (
        "pixels changed: raise PREPROCESSING and update the golden value"
    )


def test_tokens_and_unit_rows_are_those_of_the_version() -> None:
    padded = torch.tensor([[101, 7, 102, 0, 0], [101, 7, 8, 102, 0]])
    tokens = without_padding_columns(lambda texts: padded, 0)(["two", "texts"])
    features = torch.arange(-7, 17, dtype=torch.float32).reshape(4, 6) ** 3 / 7
    rows = hashlib.sha256(unit_rows(features).tobytes()).hexdigest()[:12]
    given = (VECTORS, tokens.tolist(), rows)
    assert given == (1, [[101, 7, 102, 0], [101, 7, 8, 102]], "36271c841541"), (
        "vectors changed: raise VECTORS and update the golden values"
    )


@pytest.mark.parametrize("about", [image_determinants, text_determinants])
def test_another_version_of_vectors_is_another_key(about: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    before = about(CARD, "fp32")
    monkeypatch.setattr("text2image.encoders.vectors.VECTORS", 2)
    assert about(CARD, "fp32") == before | {"vectors": 2}


def test_what_was_stored_before_stays_valid() -> None:
    """Keys as the store has had them since preprocessing 2: nobody embeds a collection again for nothing."""
    keys = {
        precision: [fingerprint(about(CARD, precision)) for about in (image_determinants, text_determinants)]
        for precision in ("fp32", "bf16")
    }
    assert keys == {
        "fp32": ["8378cdf45e3e5a6a512e707e", "b1ff28ef9772de698ac5fed3"],
        "bf16": ["220c148a822a00940bb5fd27", "e2191ebf1b4d89e8bb69464c"],
    }


def test_another_resize_is_another_key_for_images_alone() -> None:
    own, squash = (
        CARD | {"resize": mode, "views": ["whole", "tiles"], "combine": "mean"}
        for mode in ("model", "squash")
    )
    assert image_determinants(own, "fp32") == image_determinants(CARD, "fp32"), "neither do views change it"
    assert image_determinants(squash, "fp32") == image_determinants(CARD, "fp32") | {"resize": "squash"}
    assert text_determinants(squash, "fp32") == text_determinants(CARD, "fp32")


def test_another_decoding_is_another_key_for_images_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    before = [image_determinants(CARD, "fp32"), text_determinants(CARD, "fp32")]
    monkeypatch.setattr("text2image.collection.images.DECODING", 2)
    after = [image_determinants(CARD, "fp32"), text_determinants(CARD, "fp32")]
    assert (after[0] == before[0], after[1] == before[1]) == (False, True)
