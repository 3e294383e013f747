"""What a system that knows nothing would score: the expectation of each measure over random orders.

Unless they say otherwise, functions take ``n_relevant``, ``(n_queries,)`` int64 in [1, n_images], and the
gallery's size ``n_images``, and return the expectation for each query, ``(n_queries,)`` float64.
"""

import numpy as np

from text2image.base.arrays import Floats, Integers


def hit_rate(n_relevant: Integers, n_images: int, k: int) -> Floats:
    """Return the probability of a relevant image in the first k: ``1 - C(N-R, k) / C(N, k)``.

    >>> hit_rate(np.array([1, 2]), 4, 1).tolist()
    [0.25, 0.5]
    """
    return 1.0 - _survival(n_relevant, n_images, min(k, n_images))[:, -1]


def reciprocal_rank(n_relevant: Integers, n_images: int) -> Floats:
    """Return the expected reciprocal rank: the sum of ``P(best rank = r) / r``.

    For a single relevant image this is ``H(N) / N``, H(N) the harmonic number.

    >>> reciprocal_rank(np.array([1]), 2).tolist()
    [0.75]
    """
    expected = np.empty(len(n_relevant))
    positions = np.arange(1, n_images + 1)
    for size in np.unique(n_relevant):  # memory: one row of the gallery's size at a time
        survival = _survival(np.array([size]), n_images, n_images)[0]
        expected[n_relevant == size] = np.sum(-np.diff(survival) / positions)
    return expected


def recall(n_relevant: Integers, n_images: int, k: int) -> Floats:
    """Return the expected share of relevant images in the first k: ``min(k, N) / N``.

    >>> recall(np.array([1, 2]), 4, 3).tolist()
    [0.75, 0.75]
    """
    return np.full(len(n_relevant), min(k, n_images) / n_images)


def dcg(relevance: Integers, starts: Integers, n_images: int, k: int) -> Floats:
    """Return the expected DCG@k: every place holds the mean gain, ``(sum of grades / N) DCG@k of ones``.

    >>> dcg(np.array([3, 1]), np.array([0]), 4, 1).tolist()
    [1.0]

    Args:
        relevance: ``(n_pairs,)`` int64, the grades of the relevant images, query after query.
        starts: ``(n_queries,)`` int64, where each query's pairs begin.
        n_images: N, the size of the gallery.
        k: the cut-off.
    """
    places = np.arange(1, min(k, n_images) + 1)
    discounts = float(np.sum(1.0 / np.log2(places + 1.0)))
    expected: Floats = np.add.reduceat(relevance, starts) / n_images * discounts
    return expected


def median_rank(n_relevant: Integers, n_images: int) -> float:
    """Return the median best rank over random orders of all queries together.

    >>> median_rank(np.array([1]), 5)
    3.0
    """
    sizes, counts = np.unique(n_relevant, return_counts=True)
    survival = np.zeros(n_images + 1)
    for size, count in zip(sizes, counts, strict=True):
        survival += count / len(n_relevant) * _survival(np.array([size]), n_images, n_images)[0]
    return float(np.argmax(survival <= 0.5))


def _survival(n_relevant: Integers, n_images: int, k: int) -> Floats:
    """Return ``P(no relevant image in the first r)`` for r = 0 … k: ``(n_queries, k + 1)``.

    The product of ``(N - R - i) / (N - i)`` for i < r.
    """
    i = np.arange(k)
    left = np.maximum(n_images - n_relevant[:, None] - i, 0) / (n_images - i)
    return np.concatenate([np.ones((len(n_relevant), 1)), np.cumprod(left, axis=1)], axis=1)
