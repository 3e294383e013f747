"""Vectors of images and texts from the store; what is not there is embedded, and kept batch by batch.

So ten new images in a folder cost ten images. A killed run loses at most the two batches that came last, one that is
written beside the computation and one that waits for it. Of two processes that lack vectors of one model, the second
waits for what the first embeds. Nothing here needs torch until something has to be embedded.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from text2image.base.arrays import Vectors
from text2image.base.console import InputError, one_line, progress
from text2image.base.imports import without_collection
from text2image.base.locks import waiting_lock
from text2image.base.settings import Runtime
from text2image.base.store import Store
from text2image.base.writer import Writer
from text2image.collection.images import decoding_determinants
from text2image.collection.manifest import ImageFile
from text2image.encoders.models.towers import import_for

Item = TypeVar("Item")
Card = dict[str, Any]
"""What data/models/MODEL.json says of a model, see :func:`text2image.encoders.models.card.describe`."""

Batch = list[tuple[str, bytes]]
"""Keys of the store and vectors, float32."""

READ_AT_ONCE = 500
"""Vectors from the store that are put into a matrix together."""

PREPROCESSING = 2
"""Version of how decoded pixels become a network's input (text2image/encoders/images/preprocessing.py). Raise it with
every change of them: tests/encoders/images/test_golden_inputs.py holds the inputs of each kind of transform."""

VECTORS = 1
"""Version of how texts become tokens and a network's outputs unit rows. Raise it with every change of them; the same
test holds both."""


def load_card(path: Path) -> Card:
    """Read a card that a stage wrote, of a model or a system.

    Raises:
        FileNotFoundError: there is none yet.
        InputError: it is damaged.
    """
    try:
        card: object = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        found = one_line(error)
    else:
        if isinstance(card, dict):
            return card
        found = one_line(card)
    raise InputError(f"expected a card in {path}, found: {found}; run `dvc repro`, which makes it again")


def image_determinants(card: Card, precision: str, decode: str = "cpu") -> dict[str, Any]:
    """Return all that determines an image's vector besides its key (:attr:`ImageFile.key`).

    Args:
        card: of the model.
        precision, decode: of the section ``embed`` of params.yaml.

    Name, tag and files decide the size, crop and normalisation of a model's input, too; ``resize``, if another than the
    model's own is asked for. Which part of the image it is stands in the key.
    """
    about = {key: card[key] for key in ("name", "pretrained", "files")}
    resize = card.get("resize", "model")
    resized = {} if resize == "model" else {"resize": resize}  # vectors of stores from before stay known
    decoded = {} if decode == "cpu" else {"decode": decode}
    versions = {"preprocessing": PREPROCESSING, **decoding_determinants(), **_vectors_version()}
    return {"kind": "image", **about, **resized, "precision": precision, **decoded, **versions}


def text_determinants(card: Card, precision: str) -> dict[str, Any]:
    """Return all that determines a text's vector besides the text."""
    about = {key: card[key] for key in ("name", "pretrained", "files", "context_length")}
    other = {} if precision == "fp32" else {"precision": precision}  # texts of stores from before stay known
    return {"kind": "text", **about, **other, **_vectors_version()}


def _vectors_version() -> dict[str, int]:
    return {} if VECTORS == 1 else {"vectors": VECTORS}  # vectors of stores from before stay known


def text_key(text: str) -> str:
    """Return the store's key of a text, whose exact spelling counts."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()[:24]


def stored_vectors(
    determinants: dict[str, Any],
    items: Mapping[str, Item],
    embed: Callable[[Sequence[Item]], Iterator[Batch]],
    *,
    unit: str,
    title: str,
    kind: str = "embeddings",
) -> tuple[Vectors, int]:
    """Return the vectors of images or texts, ``(n_items, dim)`` float32, and how many were embedded just now.

    Args:
        determinants: of the model, from :func:`image_determinants` or :func:`text_determinants`.
        items: by their keys: :attr:`ImageFile.key` of an image, :func:`text_key` of a text.
        embed: computes the vectors of items that the store does not have.
        unit, title: of the progress bar.
        kind: of store that holds them.

    Raises:
        InputError: the store's file is damaged or locked, or does not take what is computed.
    """
    with Store(kind, determinants) as store:
        matrix = Matrix(items)
        matrix.read(store)
        if not matrix.absent():
            return matrix.whole(), 0
        store.check_writable()
        with waiting_lock(store.path):
            matrix.read(store)  # what another process has embedded meanwhile
            if missing := matrix.absent():
                _embed_missing(store, matrix, items, missing, embed, unit=unit, title=title)
        return matrix.whole(), len(missing)


def _embed_missing(
    store: Store,
    matrix: "Matrix",
    items: Mapping[str, Item],
    missing: Sequence[str],
    embed: Callable[[Sequence[Item]], Iterator[Batch]],
    *,
    unit: str,
    title: str,
) -> None:
    with (
        progress(total=len(items), done=len(items) - len(missing), unit=unit, title=title) as bar,
        Writer(store) as writer,
    ):
        for batch in embed([items[key] for key in missing]):
            writer.put(batch)
            matrix.add(batch)
            bar.update(len(batch))


def embed_images_here(
    name: str, card: Card, precision: str, decode: str, runtime: Runtime, images: Sequence[ImageFile]
) -> Iterator[Batch]:
    """Yield the vectors of images batch by batch, computed on this machine."""
    with without_collection():
        import_for(card["name"], images_only=True)
        from text2image.encoders.embedding import embed_images
        from text2image.encoders.models.load import load_model

        model = load_model(name, card, runtime.device, precision, decode, images_only=True)
    for batch, rows in embed_images(model, images, runtime):
        yield [(image.key, row.tobytes()) for image, row in zip(batch, rows, strict=True)]


def embed_texts_here(
    name: str, card: Card, precision: str, runtime: Runtime, texts: Sequence[str]
) -> Iterator[Batch]:
    """Yield the vectors of texts batch by batch, computed on this machine."""
    with without_collection():
        import_for(card["name"])
        from text2image.encoders.embedding import embed_texts
        from text2image.encoders.models.load import load_model

        model = load_model(name, card, runtime.device, precision)
    for batch, rows in embed_texts(model, texts, runtime):
        yield [(text_key(text), row.tobytes()) for text, row in zip(batch, rows, strict=True)]


class Matrix:
    """Vectors in the order of their keys, which differ; they may come in any order, and twice."""

    def __init__(self, keys: Iterable[str]) -> None:
        self._keys = list(keys)
        self._row_of = {key: row for row, key in enumerate(self._keys)}
        self._there = np.zeros(len(self._row_of), dtype=np.bool_)
        self._rows: Vectors = np.empty((0, 0), dtype=np.float32)

    def add(self, items: Sequence[tuple[str, bytes]]) -> None:
        """Take keys and vectors, float32.

        Raises:
            KeyError: a key is none of the matrix.
            ValueError: a vector has another length than the others.
        """
        rows = [self._row_of[key] for key, _ in items]
        if rows and not len(self._rows):
            dim = len(items[0][1]) // self._rows.itemsize
            self._rows = np.empty((len(self._there), dim), dtype=np.float32)
        if lengths := {len(value) for _, value in items} - {self._rows.shape[1] * self._rows.itemsize}:
            raise ValueError(f"expected vectors of {self._rows.shape[1]} float32, found {lengths} bytes")
        joined = np.frombuffer(b"".join([value for _, value in items]), dtype=np.float32)
        self._rows[rows] = joined.reshape(len(rows), self._rows.shape[1])
        self._there[rows] = True

    def read(self, store: Store) -> None:
        """Take what is not there yet from the store."""
        found = store.get(self.absent())
        while some := list(islice(found, READ_AT_ONCE)):
            self.add(some)

    def whole(self) -> Vectors:
        """Return ``(n_keys, dim)`` float32, C order; ``(0, 0)`` without a key.

        Raises:
            KeyError: a vector is not there.
        """
        if absent := self.absent():
            raise KeyError(
                f"expected vectors of {len(self._there)} keys, found none of {len(absent)}, such as {absent[0]}"
            )
        return self._rows

    def absent(self) -> list[str]:
        """Return the keys of vectors that are not there."""
        return [self._keys[row] for row in np.flatnonzero(~self._there)]
