"""Scores of pairs of texts by a cross-encoder of sentence-transformers, from the store or computed and kept."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from text2image.base.arrays import Vectors
from text2image.base.console import InputError, progress
from text2image.base.settings import Runtime
from text2image.base.store import Store, fingerprint
from text2image.encoders.vectors import Card

KIND = "cross_encoders"
"""The kind of store that holds the scores."""

VERSION = 1
"""Of how a pair of texts becomes a score; raise it with every change of that."""

TextPair = tuple[str, str]
"""A query, and the text that is read beside it."""


def cross_determinants(card: Card) -> dict[str, Any]:
    """Return all that determines a score besides the two texts."""
    return {"kind": "cross-encoder", "version": VERSION, "files": card["files"]}


def pair_key(pair: TextPair) -> str:
    """Return what the score of a pair is stored under."""
    return fingerprint(list(pair))


def cross_scores(
    card: Card, pairs: Sequence[TextPair], key: str, runtime: Runtime, title: str = "rerank"
) -> Vectors:
    """Return the scores of pairs, ``(n_pairs,)`` float32; higher is better.

    They are the network's own, before any activation: a sigmoid would make different high scores equal.

    Args:
        card: by :func:`text2image.encoders.sentences.card.describe_sentence_model`.
        pairs: which may repeat.
        key: the params key that names the model, for messages.
        runtime: where and in how many threads what the store lacks is computed.
        title: of the progress bar.

    Raises:
        InputError: the model cannot be loaded, is a classifier, or gives values that are not finite.
    """
    by_key = {pair_key(pair): pair for pair in pairs}

    def score(missing: Sequence[str]) -> Iterator[Iterator[tuple[str, bytes]]]:
        from text2image.encoders.sentences.forward import forward_texts, load_sentence_model

        model = load_sentence_model("CrossEncoder", card, key, runtime)
        prompt = model.network.prompts.get(model.network.default_prompt_name)
        todo, done = [by_key[one] for one in missing], len(by_key) - len(missing)
        with progress(total=len(by_key), done=done, unit="pair", title=title) as bar:
            for batch, rows in forward_texts(model, todo, "scores", runtime, prompt=prompt):
                values = rows.float().cpu().numpy().reshape(len(batch))
                _check_finite(values, card, key)
                scored = zip(batch, values, strict=True)
                yield ((pair_key(pair), json.dumps(float(value)).encode()) for pair, value in scored)
                bar.update(len(batch))

    with Store(KIND, cross_determinants(card)) as store:
        scores = store.fill(by_key, score)
    return np.array([scores[pair_key(pair)] for pair in pairs], dtype=np.float32)


def _check_finite(values: Vectors, card: Card, key: str) -> None:
    if not np.isfinite(values).all():
        raise InputError(
            f"expected finite scores of '{card['name']}' ({key} in params.yaml), found others: its weights are broken"
        )
