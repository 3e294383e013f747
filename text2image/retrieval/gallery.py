"""The whole gallery ranked for every query, exactly, in little more than the time of the products.

Ranks follow the rule of :mod:`text2image.retrieval.ranking`, scores that of :mod:`text2image.retrieval.scores`, so neither the
sizes of blocks nor the number of threads nor the machine's BLAS can change a result. The gallery is
multiplied block by block in float32. Each block is looked at while it is in the processor's cache, and then
forgotten: what :mod:`text2image.retrieval.counting` cannot decide by the products is scored exactly. Each thread
has queries of its own. Of an image with several vectors the highest product stands for all.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from text2image.base.arrays import Integers, Vectors
from text2image.base.parallel import in_threads, thread_count
from text2image.formats.views import ImageVectors
from text2image.retrieval.counting import EMPTY, Best, BestIrrelevant, RankCounter
from text2image.retrieval.ranking import check_shapes
from text2image.retrieval.scores import error_bound, from_keys

QUERY_BLOCK, IMAGE_BLOCK = 512, 8192
"""Rows and columns of a product (float32: 16 MiB a thread). Long rows, which numpy compares one by one."""


class Ranking(NamedTuple):
    """How the gallery ranks for a block of queries.

    ``queries``: the slice of queries. ``columns``, ``scores``: ``(n, k)``, their best images, best first.
    ``pairs``: the slice of pairs that belong to them, with ``pair_ranks`` and ``pair_scores``.
    ``irrelevant_columns``, ``irrelevant_ranks``, ``irrelevant_scores``: ``(n,)``, the best image of each query that is not
    among its pairs, column -1 where there is none.
    """

    queries: slice
    columns: Integers
    scores: Vectors
    pairs: slice
    pair_ranks: Integers
    pair_scores: Vectors
    irrelevant_columns: Integers
    irrelevant_ranks: Integers
    irrelevant_scores: Vectors


def rank_gallery(
    queries: Vectors,
    images: Vectors,
    rows: Integers,
    columns: Integers,
    k: int,
    *,
    starts: Integers | None = None,
    threads: int | None = None,
    query_block: int = QUERY_BLOCK,
    image_block: int = IMAGE_BLOCK,
) -> Iterator[Ranking]:
    """Yield, query by query in order, the best images and the exact rank of each pair, whatever blocks and threads.

    ``rank = 1 + |{j : s_j > s}| + |{j < column : s_j = s}|`` over the whole gallery.

    Args:
        queries, images: ``(n, dim)`` float32, unit rows; ``images`` may be memory-mapped.
        rows, columns: ``(n_pairs,)`` int64, ``rows`` in increasing order; a query may have none.
        k: how many images to return, at least 1; at most all are.
        starts: where each image's rows begin, if it has several, the best of which counts (:class:`ImageVectors`).
        threads, query_block, image_block: None for a thread a core, besides the BLAS's; rows and columns of a product.

    Raises:
        ValueError: dimensions differ, the gallery is empty, or a value is not finite.
    """
    check_shapes(queries, images)
    gallery, bound = ImageVectors(np.asarray(images), starts), error_bound(queries, images)
    threads, image_block = thread_count(threads), max(image_block, 2 * min(k, gallery.n_images))
    query_block = max(1, min(query_block, -(-len(queries) // threads), 2**30 // (128 * image_block)))

    def rank_block(start: int) -> Ranking:
        block = slice(start, min(start + query_block, len(queries)))
        pairs = slice(*map(int, np.searchsorted(rows, [block.start, block.stop])))
        own = rows[pairs] - start, columns[pairs]
        found = _rank_block(queries[block], gallery, *own, min(k, gallery.n_images), bound, image_block)
        return found._replace(queries=block, pairs=pairs)

    with threadpool_limits(1 if query_block < len(queries) else None, "blas"):  # threads multiply alone
        yield from in_threads(rank_block, range(0, len(queries), query_block), threads)


def _rank_block(
    queries: Vectors,
    images: ImageVectors,
    rows: Integers,
    columns: Integers,
    k: int,
    bound: float,
    image_block: int,
) -> Ranking:
    """Return what a few queries find; ``queries`` and ``pairs`` of the result count from them on."""
    best, counter = Best(queries, images, k, bound), RankCounter(queries, images, rows, columns, bound)
    irrelevant = BestIrrelevant(queries, images, rows, columns, k, bound)
    buffer = np.empty(len(queries) * images.longest(image_block), dtype=np.float32)
    for start, block, begins in images.blocks(image_block):
        products = buffer[: len(queries) * len(block)].reshape(len(queries), len(block))
        np.matmul(queries, block.T, out=products)
        if begins is not None:
            products = np.maximum.reduceat(products, begins, axis=1)
        for part in (best, counter, irrelevant):
            part.update(products, start)
    best_keys = best.keys()
    other_keys = irrelevant.keys(best_keys, counter.keys)
    (scores, best_columns), (other_scores, other_columns) = from_keys(best_keys), from_keys(other_keys)
    before = rows[counter.keys > other_keys[rows]]
    return Ranking(
        slice(0, len(queries)), best_columns, scores,
        slice(0, len(rows)), 1 + counter.counts, counter.scores,
        np.where(other_keys > EMPTY, other_columns, -1),
        1 + np.bincount(before, minlength=len(queries)), other_scores,
    )  # fmt: skip
