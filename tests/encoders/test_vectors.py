"""Vectors from the store: only what is missing is embedded, and all come in the order asked for."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from text2image.base.arrays import Vectors
from text2image.base.console import InputError
from text2image.base.store import Store
from text2image.collection.manifest import ImageFile
from text2image.encoders.vectors import (
    Batch,
    Matrix,
    image_determinants,
    load_card,
    stored_vectors,
    text_determinants,
    text_key,
)

CARD = {"name": "local-dir:x", "pretrained": None, "context_length": None, "files": {"w": "1"}}
IMAGES = [ImageFile(f"{number:016x}", Path(f"{number}.png")) for number in range(5)]


def vector(key: str) -> bytes:
    return np.frombuffer(key[-8:].encode(), dtype=np.uint8).astype(np.float32).tobytes()


def gather(store: Store, keys: Sequence[str]) -> Vectors:
    matrix = Matrix(keys)
    matrix.read(store)
    return matrix.whole()


@pytest.mark.parametrize("content", ["", "{", "[]", "null", "[" * 100_000])
def test_a_damaged_card_is_one_sentence(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(InputError, match=r"expected a card in .*a\.json, found: .*run `dvc repro`") as caught:
        load_card(tmp_path / "a.json")
    assert "\n" not in str(caught.value)
    with pytest.raises(FileNotFoundError):
        load_card(tmp_path / "b.json")


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


def test_vectors_from_the_store_stand_between_new_ones() -> None:
    def one_by_one(images: Sequence[ImageFile]) -> Iterator[Batch]:
        for image in reversed(images):
            yield [(image.image_id, vector(image.image_id))] * 2

    image_vectors(IMAGES[1:4:2], "fp32", one_by_one)
    made, n_embedded = image_vectors(IMAGES, "fp32", one_by_one)
    assert n_embedded == 3
    assert made.dtype == np.float32
    assert made.flags.c_contiguous
    with Store("embeddings", image_determinants(CARD, "fp32")) as store:
        assert np.array_equal(made, gather(store, [image.image_id for image in IMAGES]))
    assert [row.tobytes() for row in made] == [vector(image.image_id) for image in IMAGES]


def test_a_vector_that_did_not_come_is_an_error() -> None:
    def all_but_one(images: Sequence[ImageFile]) -> Iterator[Batch]:
        yield [(image.image_id, vector(image.image_id)) for image in images[1:]]

    with pytest.raises(
        KeyError, match=f"expected vectors of 5 keys, found none of 1, such as {IMAGES[0].key}"
    ):
        image_vectors(IMAGES, "fp32", all_but_one)
    with Store("embeddings", image_determinants(CARD, "fp32")) as store:
        assert store.missing(image.key for image in IMAGES) == [IMAGES[0].key]
        with pytest.raises(KeyError):
            gather(store, [image.key for image in IMAGES])


def test_vectors_of_other_lengths_are_an_error() -> None:
    def longer(images: Sequence[ImageFile]) -> Iterator[Batch]:
        for number, image in enumerate(images):
            yield [(image.image_id, b"\0" * 4 * (8 + number // 3))]

    with pytest.raises(ValueError, match=r"expected vectors of 8 float32, found \{36\} bytes"):
        image_vectors(IMAGES, "fp32", longer)


INTERRUPTED = """
import sys, time
import numpy as np
from text2image.base import console
from text2image.encoders.vectors import stored_vectors
def embed(numbers):
    for start in range(0, len(numbers), 4):
        print(start, flush=True)
        yield [(number, np.float32([number]).tobytes()) for number in numbers[start : start + 4]]
        time.sleep(0.005)
numbers = [str(number) for number in range(100_000)]
console.run(lambda: stored_vectors({}, dict(zip(numbers, numbers)), embed, unit="number", title="numbers"))
"""


def test_an_interruption_keeps_all_that_was_computed(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ | {"DVC_ROOT": str(tmp_path)}, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    for _ in range(30):
        process.stdout.readline()
    process.send_signal(signal.SIGINT)
    rest, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said.endswith("interrupted: finished work is kept, run the same command to go on\n")
    begun = 30 + rest.count("\n")
    with Store("embeddings", {}, tmp_path / ".cache") as store:
        absent = store.missing(map(str, range(4 * begun)))
        assert absent in ([], [str(number) for number in range(4 * begun - 4, 4 * begun)]), (
            "but one not yielded"
        )


def test_texts_are_kept_by_their_exact_spelling() -> None:
    def embed(texts: Sequence[str]) -> Iterator[Batch]:
        yield [(text_key(text), vector(text_key(text))) for text in reversed(texts)]

    texts = ["a shoe", "A shoe"]
    items = {text_key(text): text for text in texts}
    about = text_determinants(CARD, "fp32")
    vectors, n_embedded = stored_vectors(about, items, embed, unit="text", title="")
    assert n_embedded == 2
    assert [row.tobytes() for row in vectors] == [vector(text_key(text)) for text in texts]
