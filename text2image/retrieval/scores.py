"""The score of a query and an image: one definition, and how far a fast product is from it.

``score(q, x) = float32(sum_j q_j x_j)``, summed in float64, where every product of two float32 is exact. It
is the same wherever and however it is computed, so images with the same vector tie. The entries of a
float32 product by the BLAS are not: with OpenBLAS on processors without AVX-512, up to half of them change in
the last bit with the size of the product, the number of threads and the place in it. But such a
product is a hundred times faster, and off by no more than :func:`error_bound`: enough to tell what is
clearly better or worse than something, so that only the rest need be scored exactly.

An image with several vectors, one for each of its views, has the highest of their scores; the highest of products is off
by no more than one of them.
"""

import numpy as np

from text2image.base.arrays import Integers, Vectors
from text2image.formats.views import ImageVectors

PAIRS = 128  # scored at a time: their float64 rows stay in the processor's cache
LAST = 0xFFFFFFFF  # the largest column that a key can hold
SIGN = 0x7FFFFFFF


def exact_scores(queries: Vectors, images: Vectors, rows: Integers, columns: Integers) -> Vectors:
    """Return the score of each pair ``(queries[rows[i]], images[columns[i]])``.

    Args:
        queries, images: ``(n, dim)`` and ``(m, dim)`` float32, unit rows.
        rows, columns: ``(n_pairs,)`` integers.

    Returns:
        ``(n_pairs,)`` float32 in [-1, 1].
    """
    scores = np.empty(len(rows), dtype=np.float32)
    for start in range(0, len(rows), PAIRS):
        some = slice(start, start + PAIRS)
        left, right = queries[rows[some]].astype(np.float64), images[columns[some]].astype(np.float64)
        scores[some] = np.einsum("ij,ij->i", left, right)
    return scores


def best_view_scores(
    queries: Vectors, images: ImageVectors, rows: Integers, columns: Integers
) -> tuple[Vectors, Integers]:
    """Return the score of each pair of a query and an image of several vectors: the highest of their exact scores.

    Args:
        queries: ``(n, dim)`` float32, unit rows.
        images: ``m`` images.
        rows, columns: ``(n_pairs,)`` integers, the latter of images.

    Returns:
        The scores, ``(n_pairs,)`` float32 in [-1, 1], and which vector of the image has it, ``(n_pairs,)`` from 0: the
        first of equals.
    """
    places, begins = images.rows(columns)
    counts = np.diff(np.append(begins, len(places)))
    every = exact_scores(queries, images.vectors, np.repeat(rows, counts), places)
    if not len(rows):
        return every, begins
    best: Vectors = np.maximum.reduceat(every, begins)
    first = np.where(every == np.repeat(best, counts), np.arange(len(every)), len(every))
    return best, np.minimum.reduceat(first, begins) - begins


def gallery_scores(queries: Vectors, images: ImageVectors, rows: Integers, columns: Integers) -> Vectors:
    """Return the score of each pair of a query and an image, which is that of its best vector: ``(n_pairs,)`` float32."""
    if images.starts is None:
        return exact_scores(queries, images.vectors, rows, columns)
    return best_view_scores(queries, images, rows, columns)[0]


def error_bound(queries: Vectors, images: Vectors) -> float:
    """Return how far an entry of ``queries @ images.T`` in float32 can be from the exact score.

    ``(dim + 2) u |q| |x|`` for the largest norms, u = 2⁻²⁴, whatever the order of summation: Higham,
    Accuracy and Stability of Numerical Algorithms, 2nd ed., section 3.1. For unit vectors of 512
    dimensions 3.1e-5.

    Raises:
        ValueError: a value is infinite or not a number.
    """
    squares = (np.einsum("ij,ij->i", rows, rows).max(initial=0.0) for rows in (queries, images))
    norms = [
        float(square) ** 0.5 for square in squares
    ]  # in float32: the bound has a margin for their rounding
    if not np.isfinite(norms).all():
        raise ValueError("expected finite vectors, found infinite values or such as are not numbers")
    return float(1.01 * (queries.shape[1] + 2) * 2.0**-24 * norms[0] * norms[1])


def sort_keys(scores: Vectors, columns: Integers) -> Integers:
    """Return an integer for each image that is the larger the earlier the image ranks.

    The score in the upper half, as an integer of the same order, and in the lower half what makes the
    smaller column win among equal scores. :func:`from_keys` takes it apart.

    Args:
        scores: float32.
        columns: integers of the same shape in [0, 2³²).
    """
    bits = (scores + np.float32(0.0)).view(np.int32)  # -0.0 becomes 0.0, which it equals
    ordered = bits ^ ((bits >> 31) & SIGN)
    return np.asarray((ordered.astype(np.int64) << 32) | (LAST - columns))


def from_keys(keys: Integers) -> tuple[Vectors, Integers]:
    """Return the ``(scores, columns)`` that :func:`sort_keys` was given."""
    ordered = (keys >> 32).astype(np.int32)
    return (ordered ^ ((ordered >> 31) & SIGN)).view(np.float32), LAST - (keys & LAST)
