"""Images that one model embeds as nearly the same, by cosine similarity."""

import numpy as np

from text2image.base.arrays import Integers, Vectors
from text2image.retrieval.ranking import score_blocks


def alike_pairs(images: Vectors, threshold: float) -> Integers:
    """Return the pairs of images that are at least so alike.

    Args:
        images: ``(n_images, dim)`` float32 unit rows, of the whole images: that parts of two are alike, as a logo in a
            corner is, does not make them near-duplicates.
        threshold: cosine similarity in [-1, 1].

    Returns:
        ``(n_pairs, 2)`` int64, each pair once with the smaller index first, sorted.
    """
    pairs = [np.empty((0, 2), dtype=np.int64)]
    for rows, scores in score_blocks(images, images):
        left, right = np.nonzero(scores >= threshold)
        left = left + rows.start
        pairs.append(np.stack([left, right], axis=1)[left < right])
    return np.concatenate(pairs)
