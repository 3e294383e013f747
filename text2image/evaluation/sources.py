"""Label sources compared: how much they cover, how they agree, and how well texts fit their images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

CLIP_SCORE_WEIGHT = 2.5


def clip_scores(images: Floats, texts: Floats) -> npt.NDArray[np.float64]:
    """Return the CLIPScore of each pair of rows: ``2.5 max(cosine, 0)``, in [0, 2.5].

    Scores of different models are on different scales: compare sources under one model.

    Source: Hessel et al., CLIPScore: A Reference-free Evaluation Metric for Image Captioning, 2021.

    Args:
        images, texts: ``(n, dim)`` float32 unit rows.
    """
    cosines = np.einsum("nd,nd->n", images, texts, dtype=np.float64)
    scores: npt.NDArray[np.float64] = CLIP_SCORE_WEIGHT * np.maximum(cosines, 0.0)
    return scores


def shared_share(images_by_text: Mapping[str, Sequence[str]]) -> float:
    """Return the share of texts that several images carry, in [0, 1]; 0 for no texts."""
    shared = sum(len(set(images)) > 1 for images in images_by_text.values())
    return shared / len(images_by_text) if images_by_text else 0.0


def agreement(
    first: Mapping[str, Sequence[int]],
    second: Mapping[str, Sequence[int]],
    first_texts: Floats,
    second_texts: Floats,
) -> tuple[int, float | None, float | None]:
    """Return how alike two sources' texts for the same image are.

    Args:
        first, second: ``{image_id: rows of its texts}``.
        first_texts, second_texts: ``(n_texts, dim)`` float32 unit rows of one text tower.

    Returns:
        The number of images that both label; the mean over them of the cosine similarity of the two
        most similar texts; and the same for texts of different images (each image's with the next
        one's), which tells what similarity means nothing. None without two such images.
    """
    both = sorted(first.keys() & second.keys())
    if len(both) < 2:
        return len(both), None, None
    same = [_closest(first[i], second[i], first_texts, second_texts) for i in both]
    others = both[1:] + both[:1]
    apart = [
        _closest(first[i], second[j], first_texts, second_texts) for i, j in zip(both, others, strict=True)
    ]
    return len(both), float(np.mean(same)), float(np.mean(apart))


def _closest(left: Sequence[int], right: Sequence[int], first_texts: Floats, second_texts: Floats) -> float:
    return float((first_texts[list(left)] @ second_texts[list(right)].T).max())


def histogram(counts: Sequence[int], largest: int) -> list[tuple[int, int]]:
    """Return ``(value, how often)`` for 0 … ``largest``; larger values count as ``largest``."""
    often = Counter(min(count, largest) for count in counts)
    return [(value, often[value]) for value in range(largest + 1)]
