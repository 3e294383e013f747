"""Retrieval measures of single queries, from the exact ranks of their relevant images.

Every function takes one row a relevant pair and returns one value a query, so that means, intervals
and paired tests all stand on the same per-query numbers. ``starts`` marks where each query's pairs
begin: query *q* owns ``ranks[starts[q]:starts[q + 1]]``, and owns at least one.

``hit_rate@k`` asks whether *any* relevant image is among the first k; ``recall@k`` which *share* of
them is. Papers on image-text retrieval often print the former under the name of the latter.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


def query_starts(n_relevant: Integers) -> Integers:
    """Return the offsets ``(n_queries,)`` at which each query's pairs begin.

    Raises:
        ValueError: a query has no relevant image; that is an error, never a score of zero.
    """
    if len(n_relevant) == 0 or n_relevant.min() < 1:
        raise ValueError("expected queries with at least one relevant image each, found one with none")
    return np.concatenate([[0], np.cumsum(n_relevant)[:-1]]).astype(np.int64)


def best_rank(ranks: Integers, starts: Integers) -> Integers:
    """Return the rank of each query's first relevant image: ``(n_queries,)`` in [1, n_images]."""
    return np.minimum.reduceat(ranks, starts)


def reciprocal_rank(ranks: Integers, starts: Integers) -> Floats:
    """Return ``1 / best rank`` of each query, in (0, 1], without a cut-off; its mean is MRR.

    Source: Voorhees, The TREC-8 Question Answering Track Report, 1999.
    """
    return 1.0 / best_rank(ranks, starts)


def hit_rate(ranks: Integers, starts: Integers, k: int) -> Floats:
    """Return 1.0 for each query with any relevant image at rank k or better, else 0.0.

    Also called Success@k.
    """
    return (best_rank(ranks, starts) <= k).astype(np.float64)


def recall(ranks: Integers, starts: Integers, k: int) -> Floats:
    """Return the share of each query's relevant images at rank k or better, in [0, 1]."""
    found = np.add.reduceat((ranks <= k).astype(np.float64), starts)
    return found / np.diff(np.append(starts, len(ranks)))


def ndcg(ranks: Integers, relevance: Integers, starts: Integers, k: int) -> Floats:
    """Return nDCG@k of each query, in [0, 1], with linear gains as trec_eval has them.

    ``DCG@k = sum of relevance_i / log2(rank_i + 1)`` over relevant images at rank k or better,
    divided by the DCG@k of the best possible order.

    Source: Järvelin and Kekäläinen, Cumulated Gain-Based Evaluation of IR Techniques, 2002.
    """
    dcg = np.add.reduceat(np.where(ranks <= k, relevance / np.log2(ranks + 1.0), 0.0), starts)
    return dcg / ideal_dcg(relevance, starts, k)


def ideal_dcg(relevance: Integers, starts: Integers, k: int) -> Floats:
    """Return the DCG@k of each query if it lists its most relevant images first: ``(n_queries,)`` > 0."""
    sizes = np.diff(np.append(starts, len(relevance)))
    query = np.repeat(np.arange(len(starts)), sizes)
    order = np.lexsort((-relevance, query))
    position = np.arange(len(relevance)) - np.repeat(starts, sizes) + 1
    gains = np.where(position <= k, relevance[order] / np.log2(position + 1.0), 0.0)
    return np.add.reduceat(gains, starts)
