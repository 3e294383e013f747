"""Vectors of images and texts from the store; what is not there is embedded, and kept batch by batch.

So ten new images in a folder cost ten images, and a killed run loses at most one batch. Nothing here needs torch
until something has to be embedded.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from text2image.base.arrays import Vectors
from text2image.base.console import progress
from text2image.base.settings import Runtime
from text2image.base.store import Store
from text2image.collection.images import decoding_determinants
from text2image.collection.manifest import ImageFile

Item = TypeVar("Item")
Card = dict[str, Any]
"""What data/models/MODEL.json says of a model, see :func:`text2image.encoders.models.card.describe`."""

Batch = list[tuple[str, bytes]]
"""Keys of the store and vectors, float32."""

PREPROCESSING = 2
"""Version of how decoded pixels become a network's input (text2image/encoders/images/preprocessing.py). Raise it with
every change of them: tests/encoders/test_golden_inputs.py holds the inputs of each kind of transform."""

VECTORS = 1
"""Version of how texts become tokens and a network's outputs unit rows. Raise it with every change of them; the same
test holds both."""


def load_card(path: Path) -> Card:
    card: Card = json.loads(path.read_text(encoding="utf-8"))
    return card


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
) -> tuple[Vectors, int]:
    """Return the vectors of images or texts, ``(n_items, dim)`` float32, and how many were embedded just now.

    Args:
        determinants: of the model, from :func:`image_determinants` or :func:`text_determinants`.
        items: by their keys: :attr:`ImageFile.key` of an image, :func:`text_key` of a text.
        embed: computes the vectors of items that the store does not have.
        unit, title: of the progress bar.
    """
    with Store("embeddings", determinants) as store:
        missing = [items[key] for key in store.missing(items)]
        if missing:
            kept = len(items) - len(missing)
            with progress(total=len(items), done=kept, unit=unit, title=title) as bar:
                for batch in embed(missing):
                    store.put(batch)
                    bar.update(len(batch))
        return gather(store, list(items)), len(missing)


def embed_images_here(
    name: str, card: Card, precision: str, decode: str, runtime: Runtime, images: Sequence[ImageFile]
) -> Iterator[Batch]:
    """Yield the vectors of images batch by batch, computed on this machine."""
    from text2image.encoders.embedding import embed_images
    from text2image.encoders.models.load import load_model

    model = load_model(name, card, runtime.device, precision, decode)
    for batch, rows in embed_images(model, images, runtime):
        yield [(image.key, row.tobytes()) for image, row in zip(batch, rows, strict=True)]


def embed_texts_here(
    name: str, card: Card, precision: str, runtime: Runtime, texts: Sequence[str]
) -> Iterator[Batch]:
    """Yield the vectors of texts batch by batch, computed on this machine."""
    from text2image.encoders.embedding import embed_texts
    from text2image.encoders.models.load import load_model

    model = load_model(name, card, runtime.device, precision)
    for batch, rows in embed_texts(model, texts, runtime):
        yield [(text_key(text), row.tobytes()) for text, row in zip(batch, rows, strict=True)]


def gather(store: Store, keys: Sequence[str]) -> Vectors:
    """Return the vectors of ``keys``, which differ, in their order: ``(len(keys), dim)`` float32, C order.

    Without a key, ``(0, 0)``: no vector says which dimension the others would have.

    Raises:
        KeyError: a key is not in the store.
    """
    if not keys:
        return np.empty((0, 0), dtype=np.float32)
    row_of = {key: row for row, key in enumerate(keys)}
    matrix: Vectors | None = None
    n_found = 0
    for key, value in store.get(keys):
        vector = np.frombuffer(value, dtype=np.float32)
        if matrix is None:
            matrix = np.empty((len(keys), len(vector)), dtype=np.float32)
        matrix[row_of[key]] = vector
        n_found += 1
    if matrix is None or n_found != len(keys):
        raise KeyError(f"expected {len(keys)} vectors in {store.path}, found {n_found}")
    return matrix
