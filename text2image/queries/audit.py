"""Suspicious labels: signs that a text does not belong to its image, put together without a threshold.

Four signs, each larger the more suspicious, each independent of the scale of a model's scores:

- the image ranks far down for its text;
- the text ranks far down, among the texts of its source, for its image;
- the text is unlike the image's other texts, of this source or another;
- the image is unlike the other images that carry the text.

Each becomes a percentile over the labels, which makes them comparable; a label's suspicion is the mean
of those that it has. The signs come from confident-learning practice (Northcutt et al., Confident
Learning, 2021): labels that good models contradict are wrong more often than labels at random.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from text2image.retrieval.gallery import rank_gallery

Floats = npt.NDArray[np.float64]
Vectors = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]

FOUND = 10
"""A relevant image at this rank or better counts as found: neither label nor model is to blame."""


def pair_ranks(left: Vectors, right: Vectors, rows: Integers, columns: Integers) -> Integers:
    """Return the rank of ``right[columns[i]]`` among all of ``right`` for ``left[rows[i]]``.

    Args:
        left, right: ``(n, dim)`` and ``(m, dim)`` float32 unit rows.
        rows, columns: ``(n_pairs,)`` integers.

    Returns:
        ``(n_pairs,)`` int64 in [1, m], by the tie rule of :func:`text2image.retrieval.ranking.ranks`.
    """
    order = np.lexsort((columns, rows))
    asked, places = np.unique(rows[order], return_inverse=True)
    parts = rank_gallery(left[asked], right, places, columns[order], 1)
    found = np.empty(len(rows), dtype=np.int64)
    found[order] = np.concatenate([found[:0], *(part.pair_ranks for part in parts)])
    return found


def best_alike(vectors: Vectors, items: Integers, keys: Integers) -> Floats:
    """Return how alike each item is to the most similar *other* item of its key.

    Args:
        vectors: ``(n_vectors, dim)`` float32 unit rows.
        items: ``(n,)`` rows of ``vectors``; equal rows count as the same item.
        keys: ``(n,)`` what groups items, such as the image of each text.

    Returns:
        ``(n,)`` float64 cosine similarities; NaN for an item alone under its key.
    """
    members: dict[int, set[int]] = defaultdict(set)
    for item, key in zip(items.tolist(), keys.tolist(), strict=True):
        members[key].add(item)
    alike = np.full(len(items), np.nan)
    for index, (item, key) in enumerate(zip(items.tolist(), keys.tolist(), strict=True)):
        others = sorted(members[key] - {item})
        if others:
            alike[index] = float((vectors[others] @ vectors[item]).max())
    return alike


def percentiles(values: Floats) -> Floats:
    """Return the mid-rank percentile in (0, 1) of each value among those that are not NaN; NaN stays."""
    there = np.flatnonzero(~np.isnan(values))
    result = np.full(len(values), np.nan)
    _, inverse, counts = np.unique(values[there], return_inverse=True, return_counts=True)
    middle = np.cumsum(counts) - counts / 2
    result[there] = middle[inverse] / max(len(there), 1)
    return result


def suspicion(signs: Sequence[Floats]) -> Floats:
    """Return the mean of the percentiles of all signs that a label has: ``(n_labels,)`` in (0, 1).

    Args:
        signs: ``(n_labels,)`` float64 each, larger the more suspicious, NaN where there is none;
            every label has at least one.
    """
    return np.asarray(np.nanmean([percentiles(sign) for sign in signs], axis=0))


def blame(rank: Integers, best_irrelevant: Floats, typical: float) -> list[str]:
    """Say for each label whom one model's search speaks against: ``label``, ``model`` or neither.

    An image at rank ``FOUND`` or better blames nobody (""). Otherwise, where some other image fits the
    text as well as right answers usually fit theirs, the model knows what the text means and the
    label is wrong or incomplete; where no image fits, the model does not understand the text.

    Args:
        rank: ``(n,)`` rank of the labelled image.
        best_irrelevant: ``(n,)`` score of the best image that the text does not belong to.
        typical: the median score of relevant images that were ranked first.
    """
    return [
        "" if r <= FOUND else "label" if score >= typical else "model"
        for r, score in zip(rank.tolist(), best_irrelevant.tolist(), strict=True)
    ]


def verdict(blames: Sequence[str]) -> str:
    """Return what most models say, ``unclear`` if they are split, "" if most blame nobody."""
    for word in ("", "label", "model"):
        if 2 * sum(blame == word for blame in blames) > len(blames):
            return word
    return "unclear"
