"""Vectors from the store: only what is missing is embedded, and all come in the order asked for."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from text2image.base.arrays import Vectors
from text2image.collection.manifest import ImageFile
from text2image.encoders.vectors import Batch, image_determinants, stored_vectors, text_determinants, text_key

CARD = {"name": "local-dir:x", "pretrained": None, "context_length": None, "files": {"w": "1"}}
IMAGES = [ImageFile(f"{number:016x}", Path(f"{number}.png")) for number in range(5)]


def vector(key: str) -> bytes:
    return np.frombuffer(key[-8:].encode(), dtype=np.uint8).astype(np.float32).tobytes()


Embed = Callable[[Sequence[ImageFile]], Iterator[Batch]]


def image_vectors(
    images: Sequence[ImageFile], precision: str, embed: Embed, weights: str = "1"
) -> tuple[Vectors, int]:
    about = image_determinants(CARD | {"files": {"w": weights}}, precision)
    items = {image.image_id: image for image in images}
    return stored_vectors(about, items, embed, unit="image", title="")


def test_only_missing_images_are_embedded() -> None:
    asked: list[str] = []

    def embed(images: Sequence[ImageFile]) -> Iterator[Batch]:
        for image in images:
            asked.append(image.image_id)
            yield [(image.image_id, vector(image.image_id))]

    _, n_embedded = image_vectors(IMAGES[1:3], "fp32", embed)
    assert (n_embedded, len(asked)) == (2, 2)
    vectors, n_embedded = image_vectors(IMAGES, "fp32", embed)
    assert n_embedded == 3
    assert sorted(asked) == [image.image_id for image in IMAGES], "each once"
    assert [row.tobytes() for row in vectors] == [vector(image.image_id) for image in IMAGES]
    assert image_vectors(IMAGES, "bf16", embed)[1] == 5, "another precision"
    assert image_vectors(IMAGES, "fp32", embed, "2")[1] == 5


def test_a_killed_run_keeps_its_batches() -> None:
    def killed(images: Sequence[ImageFile]) -> Iterator[Batch]:
        yield [(image.image_id, vector(image.image_id)) for image in images[:2]]
        raise KeyboardInterrupt

    def rest(images: Sequence[ImageFile]) -> Iterator[Batch]:
        yield [(image.image_id, vector(image.image_id)) for image in images]

    with pytest.raises(KeyboardInterrupt):
        image_vectors(IMAGES, "fp32", killed)
    assert image_vectors(IMAGES, "fp32", rest)[1] == 3


def test_texts_are_kept_by_their_exact_spelling() -> None:
    def embed(texts: Sequence[str]) -> Iterator[Batch]:
        yield [(text_key(text), vector(text_key(text))) for text in reversed(texts)]

    texts = ["a shoe", "A shoe"]
    items = {text_key(text): text for text in texts}
    about = text_determinants(CARD, "fp32")
    vectors, n_embedded = stored_vectors(about, items, embed, unit="text", title="")
    assert n_embedded == 2
    assert [row.tobytes() for row in vectors] == [vector(text_key(text)) for text in texts]
