"""Groups of images that one model embeds as nearly the same, by cosine similarity."""

import numpy as np

from text2image.base.arrays import Integers, Vectors
from text2image.collection.duplicates import connected_components
from text2image.retrieval.ranking import score_blocks


def cosine_groups(images: Vectors, threshold: float) -> Integers:
    """Return the group of each image: images at least so alike, directly or through others.

    Args:
        images: ``(n_images, dim)`` float32 unit rows.
        threshold: cosine similarity in [-1, 1].

    Returns:
        ``(n_images,)`` int64, numbered by first appearance.
    """
    pairs = [np.empty((0, 2), dtype=np.int64)]
    for rows, scores in score_blocks(images, images):
        left, right = np.nonzero(scores >= threshold)
        left = left + rows.start
        pairs.append(np.stack([left, right], axis=1)[left < right])
    return connected_components(len(images), np.concatenate(pairs))
