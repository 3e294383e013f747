"""The rank of an image, as it is defined.

The stage ``retrieve`` comes to the same ranks faster (:mod:`text2image.retrieval.gallery`). The tie rule stands in
:func:`text2image.retrieval.scores.sort_keys` alone, which both use; tests hold both against naive loops.

The rank of image *j* for a query is 1 + the number of images with a strictly higher score + the
number of images with an equal score that come before *j* in the gallery. The gallery is sorted by
``image_id``, so ties go to the smaller id, which is a hash: a model that scores everything equally
comes out at chance level. (open_clip's retrieval metrics count ranks the same way.)
"""

from collections.abc import Iterator

import numpy as np

from text2image.base.arrays import Integers, Vectors
from text2image.formats.views import ImageVectors
from text2image.retrieval.scores import sort_keys

BLOCK_SCORES = 32 * 1024 * 1024
"""Scores held at a time (float32: 128 MiB), but at least one query's."""

BLOCK_VALUES = 1024 * 1024
"""Values of images held in float64 at a time (8 MiB, which the cache of most processors holds)."""


def check_shapes(queries: Vectors, images: Vectors) -> None:
    """Raise a ``ValueError`` unless both have one dimension and the gallery has an image."""
    if queries.shape[1] != images.shape[1]:
        raise ValueError(
            f"expected queries and images of one dimension, found {queries.shape[1]} and {images.shape[1]}"
        )
    if len(images) == 0:
        raise ValueError("expected at least one image in the gallery, found none")


def score_blocks(
    queries: Vectors, images: Vectors, starts: Integers | None = None
) -> Iterator[tuple[slice, Vectors]]:
    """Yield ``(rows, scores)``: cosine similarities of a block of queries with the whole gallery.

    Sums are made in float64 and rounded to float32. A sum in float32 depends in its last bits on the shape of
    the product, on the number of threads and on the processor, so that a query alone would score otherwise
    than among others, and images with the same vector would not tie. In float64 the same is lost only where
    the sum lies within some 1e-15 of the middle between two float32.

    Args:
        queries: ``(n_queries, dim)`` float32, unit rows.
        images: ``(n_images, dim)`` float32, unit rows; may be memory-mapped.
        starts: ``(n_images,)``, the row of each image's first vector where ``images`` holds several of an image, one
            after the other; the highest of their scores is the image's. None: each row is an image.

    Yields:
        ``rows``: the slice of queries; ``scores``: ``(len(rows), n_images)`` float32 in [-1, 1].
        The array is reused by the next block: copy what must outlive the iteration.

    Raises:
        ValueError: the dimensions differ, or the gallery is empty.
    """
    check_shapes(queries, images)
    gallery = ImageVectors(images, starts)
    step = max(1, BLOCK_SCORES // gallery.n_images)
    width = max(1, BLOCK_VALUES // images.shape[1])
    buffer = np.empty((min(step, len(queries)), gallery.n_images), dtype=np.float32)
    for start in range(0, len(queries), step):
        rows = slice(start, min(start + step, len(queries)))
        scores = buffer[: rows.stop - rows.start]
        some = queries[rows].astype(np.float64)
        for first, block, begins in gallery.blocks(width):
            products = some @ block.astype(np.float64).T
            if begins is not None:
                products = np.maximum.reduceat(products, begins, axis=1)
            scores[:, first : first + products.shape[1]] = products
        yield rows, scores


def ranks(scores: Vectors, rows: Integers, columns: Integers) -> Integers:
    """Return the exact rank over the whole gallery of each pair ``(rows[i], columns[i])``.

    ``rank = 1 + |{j : s_j > s}| + |{j < column : s_j = s}|``.

    Args:
        scores: ``(n_queries, n_images)`` float32.
        rows, columns: ``(n_pairs,)`` integers.

    Returns:
        ``(n_pairs,)`` int64 in [1, n_images]; empty for no pairs.
    """
    every = np.arange(scores.shape[1])
    result = np.empty(len(rows), dtype=np.int64)
    for row in np.unique(rows):
        own = np.flatnonzero(rows == row)
        result[own] = ranks_by_keys(sort_keys(scores[row], every), columns[own])
    return result


def ranks_by_keys(keys: Integers, columns: Integers) -> Integers:
    """Return the exact rank of each of ``columns`` in a gallery with these sort keys.

    Args:
        keys: ``(n_images,)`` int64, of one query: :func:`text2image.retrieval.scores.sort_keys`.
        columns: ``(n,)`` integers.

    Returns:
        ``(n,)`` int64 in [1, n_images].
    """
    return np.array([1 + np.count_nonzero(keys > key) for key in keys[columns]], dtype=np.int64)


def count_before(scores: Vectors, start: int, score: np.float32, column: int) -> int:
    """Return how many of some images rank before one with this ``score`` and ``column``.

    Summed over the parts of a gallery, and 1 more, it is the rank that :func:`ranks` has.

    Args:
        scores: ``(n,)`` float32, of the images in the columns from ``start`` on.
    """
    tied = scores[: max(0, column - start)] == score
    return int(np.count_nonzero(scores > score) + np.count_nonzero(tied))


def top_k(scores: Vectors, k: int) -> Integers:
    """Return the columns of the ``k`` best images of each row, best first, under the tie rule.

    Args:
        scores: ``(n_queries, n_images)`` float32.
        k: how many; more than ``n_images`` gives them all.

    Returns:
        ``(n_queries, min(k, n_images))`` int64.
    """
    k = min(k, scores.shape[1])
    best = np.empty((len(scores), k), dtype=np.int64)
    for row, line in zip(best, scores, strict=True):
        row[:] = _best_columns(line, k)
    return best


def _best_columns(line: Vectors, k: int) -> Integers:
    """Return the columns of the ``k`` ≤ n best scores of a row, best first; among equals the smaller column first.

    Args:
        line: ``(n,)`` float32.
    """
    kth = np.partition(line, len(line) - k)[len(line) - k]
    above, equal = np.flatnonzero(line > kth), np.flatnonzero(line == kth)
    chosen = np.concatenate([above, equal[: k - len(above)]])
    keys = sort_keys(line[chosen], chosen)
    columns: Integers = chosen[np.argsort(keys)[::-1]]
    return columns
