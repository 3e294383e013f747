"""Vectors of queries and texts by a text encoder of sentence-transformers, from the store or computed and kept."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, Literal

import numpy as np

from text2image.base.arrays import Vectors
from text2image.base.console import InputError
from text2image.base.settings import Runtime
from text2image.encoders.vectors import Batch, Card, stored_vectors, text_key

VERSION = 1
"""Of how texts become rows; raise it with every change of that."""

Role = Literal["query", "document"]
"""Some models read a query otherwise than a text that is searched."""

PROMPTS: dict[Role, tuple[str, ...]] = {"query": ("query",), "document": ("document", "passage", "corpus")}
"""The names under which a model has the prompt for each role, the first counts (as ``encode_query`` has it)."""


def sentence_determinants(card: Card, role: Role) -> dict[str, Any]:
    """Return all that determines a vector besides the text."""
    return {"kind": "sentence", "role": role, "version": VERSION, "files": card["files"]}


def sentence_vectors(card: Card, texts: Sequence[str], role: Role, key: str, runtime: Runtime) -> Vectors:
    """Return the vectors of texts, ``(n_texts, dim)`` float32 rows of length 1, or 0 where a model knows no word of them.

    Args:
        card: by :func:`text2image.encoders.sentences.card.describe_sentence_model`.
        texts: which may repeat.
        role: what they are.
        key: the params key that names the model, for messages.
        runtime: where and in how many threads what the store lacks is computed.

    Raises:
        InputError: the model cannot be loaded, or gives values that are not finite.
    """
    by_key = {text_key(text): text for text in texts}
    vectors, _ = stored_vectors(
        sentence_determinants(card, role),
        by_key,
        partial(_encode, card, role, key, runtime),
        unit="text",
        title=f"embed {role} texts with {card['name']}",
    )
    row_of = {one: row for row, one in enumerate(by_key)}
    return vectors[[row_of[text_key(text)] for text in texts]]


def _encode(card: Card, role: Role, key: str, runtime: Runtime, texts: Sequence[str]) -> Iterator[Batch]:
    from text2image.encoders.sentences.forward import forward_texts, load_sentence_model

    model = load_sentence_model("SentenceTransformer", card, key, runtime)
    prompts = model.network.prompts
    named = next((name for name in PROMPTS[role] if name in prompts), model.network.default_prompt_name)
    prompt = prompts.get(named)
    for batch, rows in forward_texts(
        model, texts, "sentence_embedding", runtime, prompt=prompt or None, task=role
    ):
        units = _unit_rows(rows.float().cpu().numpy().astype(np.float64), card, key)
        yield [(text_key(text), row.tobytes()) for text, row in zip(batch, units, strict=True)]


def _unit_rows(rows: Any, card: Card, key: str) -> Vectors:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    if not np.isfinite(lengths).all():
        raise InputError(
            f"expected finite vectors of '{card['name']}' ({key} in params.yaml), found others: its weights are broken"
        )
    units: Vectors = (rows / np.where(lengths > 0, lengths, 1.0)).astype(np.float32)
    return units
