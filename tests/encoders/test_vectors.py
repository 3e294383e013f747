"""Vectors from the store: only what is missing is embedded, and all come in the order asked for."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from text2image.collection.manifest import ImageFile
from text2image.encoders.vectors import Batch, image_vectors, text_key, text_vectors

CARD = {"name": "local-dir:x", "pretrained": None, "context_length": None, "files": {"w": "1"}}
IMAGES = [ImageFile(f"{number:016x}", Path(f"{number}.png")) for number in range(5)]


def vector(key: str) -> bytes:
    return np.frombuffer(key[-8:].encode(), dtype=np.uint8).astype(np.float32).tobytes()


def test_only_missing_images_are_embedded() -> None:
    asked: list[str] = []

    def embed(images: Sequence[ImageFile]) -> Iterator[Batch]:
        for image in images:
            asked.append(image.image_id)
            yield [(image.image_id, vector(image.image_id))]

    first = image_vectors("x", CARD, IMAGES[1:3], "fp32", embed)
    assert (first.n_embedded, len(asked)) == (2, 2)
    vectors, n_embedded = image_vectors("x", CARD, IMAGES, "fp32", embed)
    assert n_embedded == 3
    assert sorted(asked) == [image.image_id for image in IMAGES], "each once"
    assert [row.tobytes() for row in vectors] == [vector(image.image_id) for image in IMAGES]
    assert image_vectors("x", CARD, IMAGES, "bf16", embed).n_embedded == 5, "another precision"
    assert image_vectors("x", CARD | {"files": {"w": "2"}}, IMAGES, "fp32", embed).n_embedded == 5


def test_a_killed_run_keeps_its_batches() -> None:
    def killed(images: Sequence[ImageFile]) -> Iterator[Batch]:
        yield [(image.image_id, vector(image.image_id)) for image in images[:2]]
        raise KeyboardInterrupt

    def rest(images: Sequence[ImageFile]) -> Iterator[Batch]:
        yield [(image.image_id, vector(image.image_id)) for image in images]

    with pytest.raises(KeyboardInterrupt):
        image_vectors("x", CARD, IMAGES, "fp32", killed)
    assert image_vectors("x", CARD, IMAGES, "fp32", rest).n_embedded == 3


def test_texts_are_kept_by_their_exact_spelling() -> None:
    def embed(texts: Sequence[str]) -> Iterator[Batch]:
        yield [(text_key(text), vector(text_key(text))) for text in reversed(texts)]

    texts = ["a shoe", "A shoe"]
    vectors, n_embedded = text_vectors("x", CARD, texts, "fp32", embed)
    assert n_embedded == 2
    assert [row.tobytes() for row in vectors] == [vector(text_key(text)) for text in texts]
