"""The gallery ranked for every query by the scores of any system, exactly, block by block of queries.

Ranks follow the rule of :mod:`text2image.retrieval.ranking`. A model alone is ranked by
:func:`text2image.retrieval.gallery.rank_gallery`, which comes to the same without holding whole rows.
"""

from collections.abc import Iterator

import numpy as np
from threadpoolctl import threadpool_limits

from text2image.base.arrays import Booleans, Integers, Vectors
from text2image.base.parallel import in_threads, thread_count
from text2image.retrieval.gallery import Ranking
from text2image.retrieval.ranking import count_before, top_k
from text2image.retrieval.systems.scorer import Scorer

BLOCK_SCORES = 8 * 1024 * 1024
"""Scores of a block (float32: 32 MiB), but at least one query's; every thread works on one."""

MOST_QUERIES = 256  # of a block, so that small galleries show progress, too


def rank_scores(
    scorer: Scorer, rows: Integers, columns: Integers, k: int, *, threads: int | None = None
) -> Iterator[Ranking]:
    """Yield, query by query in order, the best images and the exact rank of each pair.

    Args:
        scorer: the system.
        rows, columns: ``(n_pairs,)`` int64, ``rows`` in increasing order; a query may have none.
        k: how many images to return, at least 1; more than there are gives them all.
        threads: None for one a core.
    """
    step = max(1, min(MOST_QUERIES, BLOCK_SCORES // scorer.n_images))

    def rank_block(start: int) -> Ranking:
        block = slice(start, min(start + step, scorer.n_queries))
        pairs = slice(*map(int, np.searchsorted(rows, [block.start, block.stop])))
        ranked = rank_rows(scorer.scores(block), rows[pairs] - start, columns[pairs], k)
        return ranked._replace(queries=block, pairs=pairs)

    with threadpool_limits(1 if step < scorer.n_queries else None, "blas"):  # threads multiply alone
        yield from in_threads(rank_block, range(0, scorer.n_queries, step), thread_count(threads))


def rank_rows(scores: Vectors, rows: Integers, columns: Integers, k: int) -> Ranking:
    """Rank whole rows of scores; ``queries`` and ``pairs`` of the result count from these rows on.

    Args:
        scores: ``(n_queries, n_images)`` float32.
        rows, columns: ``(n_pairs,)`` int64, ``rows`` in increasing order.
        k: how many of the best images to return; more than there are gives them all.
    """
    n, n_images = scores.shape
    best = top_k(scores, k)
    pair_scores = scores[rows, columns]
    pair_ranks = np.array(
        [rank_of(scores[row], column) for row, column in zip(rows.tolist(), columns.tolist(), strict=True)],
        dtype=np.int64,
    )
    irrelevant = np.full(n, -1, dtype=np.int64)
    for row in range(n):
        own = columns[slice(*np.searchsorted(rows, [row, row + 1]))]
        others = best[row][~np.isin(best[row], own)]
        if len(others):
            irrelevant[row] = others[0]
        elif len(own) < n_images:
            irrelevant[row] = _best_apart_from(scores[row], own)
    there = irrelevant >= 0
    ranks = [
        rank_of(line, column) if column >= 0 else 1
        for line, column in zip(scores, irrelevant.tolist(), strict=True)
    ]
    return Ranking(
        slice(0, n), best, np.take_along_axis(scores, best, axis=1),
        slice(0, len(rows)), pair_ranks, pair_scores,
        irrelevant, np.array(ranks, dtype=np.int64), _scores_of(scores, irrelevant, there),
    )  # fmt: skip


def rank_of(line: Vectors, column: int) -> int:
    """Return the exact rank of a column in a row of scores: ``1 + |{j : s_j > s}| + |{j < column : s_j = s}|``."""
    return 1 + count_before(line, 0, line[column], column)


def _best_apart_from(line: Vectors, columns: Integers) -> int:
    """Return the column of the best score that is not among ``columns``."""
    others = np.delete(np.arange(len(line)), columns)
    return int(others[line[others].argmax()])


def _scores_of(scores: Vectors, columns: Integers, there: Booleans) -> Vectors:
    """Return the score of a column in each row, 0 where there is none."""
    found: Vectors = np.where(there, scores[np.arange(len(scores)), np.where(there, columns, 0)], 0.0)
    return found.astype(np.float32)
