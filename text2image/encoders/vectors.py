"""Embeddings as the store keeps them, without torch: keys and matrices."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from text2image.base.store import Store
from text2image.collection.images import decoding_determinants

Vectors = npt.NDArray[np.float32]

PREPROCESSING = 2
"""Version of how decoded pixels become a network's input (text2image/encoders/preprocessing.py). Raise it with
every change of them: tests/encoders/test_golden_inputs.py holds the inputs of each kind of transform."""


def image_determinants(card: dict[str, Any], precision: str) -> dict[str, Any]:
    """Return all that determines an image's vector besides its bytes; the files hold the preprocessing."""
    about = {key: card[key] for key in ("name", "pretrained", "files")}
    versions = {"preprocessing": PREPROCESSING, **decoding_determinants()}
    return {"kind": "image", **about, "precision": precision, **versions}


def text_determinants(card: dict[str, Any], precision: str) -> dict[str, Any]:
    """Return all that determines a text's vector besides the text."""
    about = {key: card[key] for key in ("name", "pretrained", "files", "context_length")}
    other = {} if precision == "fp32" else {"precision": precision}  # texts of stores from before stay known
    return {"kind": "text", **about, **other}


def text_key(text: str) -> str:
    """Return the store's key of a text, whose exact spelling counts."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()[:24]


def gather(store: Store, keys: Sequence[str]) -> Vectors:
    """Return the vectors of ``keys`` in their order: ``(len(keys), dim)`` float32, C order.

    Raises:
        KeyError: a key is not in the store.
    """
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
