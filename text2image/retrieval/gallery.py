"""The whole gallery ranked for every query, exactly, in little more than the time of the products.

Ranks follow the rule of :mod:`text2image.retrieval.ranking`, scores that of :mod:`text2image.retrieval.scores`, so neither the
sizes of blocks nor the number of threads nor the machine's BLAS can change a result. The gallery is
multiplied block by block in float32. Each block is looked at while it is in the processor's cache, and then
forgotten: what is surely among the best, or surely ahead of a relevant image, is known from the
products; what is too close to call is scored exactly. Each thread has queries of its own.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from text2image.retrieval.ranking import check_shapes
from text2image.retrieval.scores import LAST, error_bound, exact_scores, from_keys, sort_keys

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]

QUERY_BLOCK, IMAGE_BLOCK = 512, 8192
"""Rows and columns of a product (float32: 16 MiB a thread). Long rows, which numpy compares one by one."""

MANY = 256  # pairs a query from which its whole rows are scored exactly: no more work for more pairs
EMPTY = sort_keys(np.full(1, -np.inf, dtype=np.float32), np.full(1, LAST))[0]


class Ranking(NamedTuple):
    """What a block of queries found.

    ``queries``: the slice of queries. ``columns``, ``scores``: ``(n, k)``, their best images, best first.
    ``pairs``: the slice of pairs that belong to them, with ``pair_ranks`` and ``pair_scores``.
    ``other_columns``, ``other_ranks``, ``other_scores``: ``(n,)``, the best image of each query that is not
    among its pairs, column -1 where there is none.
    """

    queries: slice
    columns: Integers
    scores: Floats
    pairs: slice
    pair_ranks: Integers
    pair_scores: Floats
    other_columns: Integers
    other_ranks: Integers
    other_scores: Floats


class Best:
    """The ``k`` best images so far of each of some queries.

    Held as keys in increasing order, ``(n_queries, n)`` with n ≥ k: all images that could be among the best
    once they are scored exactly, which waits for the end unless they are too many.
    """

    def __init__(self, queries: Floats, images: Floats, k: int, bound: float) -> None:
        self._queries, self._images, self._k, self._bound = queries, images, k, bound
        self._keys = np.full((len(queries), k), EMPTY)
        self._floor = np.full(len(queries), -np.inf, dtype=np.float32)  # no product below is among the best

    def update(self, products: Floats, start: int) -> None:
        """Take in the products with the images from column ``start`` on."""
        above = products > self._floor[:, None]
        crowded = np.flatnonzero(_count(above) > 2 * self._k)
        if len(crowded) and self._k < products.shape[1]:
            kth = np.partition(products[crowded], -self._k, axis=1)[:, -self._k]
            self._floor[crowded] = np.maximum(self._floor[crowded], _below(kth, 2 * self._bound))
            above[crowded] = products[crowded] > self._floor[crowded, None]
        rows, columns = _where(above)
        if len(rows):
            self._add(rows, sort_keys(products[rows, columns], start + columns))

    def keys(self) -> Integers:
        """Return the keys of exact scores, best first: ``(n_queries, k)``; ``EMPTY`` where there is none."""
        self._settle(np.arange(len(self._keys)))
        return self._keys[:, : -self._k - 1 : -1]

    def _add(self, rows: Integers, keys: Integers) -> None:
        """Put the ``keys`` of some ``rows``, which are in order, to those held, and drop what is beaten."""
        counts = np.bincount(rows, minlength=len(self._keys))
        place = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
        new = np.full((len(counts), counts.max()), EMPTY)
        new[rows, place] = keys
        held = np.concatenate([self._keys, new], axis=1)
        held.sort(axis=1)
        kth = from_keys(held[:, -self._k])[0]
        self._floor = np.maximum(self._floor, _below(kth, 2 * self._bound))
        held[from_keys(held)[0] <= self._floor[:, None]] = EMPTY
        needed = np.count_nonzero(held > EMPTY, axis=1)
        self._keys = held[:, -max(self._k, int(needed.max())) :]
        self._settle(np.flatnonzero(needed > 4 * self._k + 64))

    def _settle(self, rows: Integers) -> None:
        """Score the images held for some rows exactly and keep the ``k`` best."""
        keys = self._keys[rows]
        which, places = np.nonzero(keys > EMPTY)
        columns = from_keys(keys[which, places])[1]
        exact = exact_scores(self._queries, self._images, rows[which], columns)
        keys[which, places] = sort_keys(exact, columns)
        keys.sort(axis=1)
        keys[:, : -self._k] = EMPTY
        self._keys[rows] = keys


class Ahead:
    """How many images so far rank before each pair of a query and an image of the gallery."""

    def __init__(
        self, queries: Floats, images: Floats, rows: Integers, columns: Integers, bound: float
    ) -> None:
        self.scores = exact_scores(queries, images, rows, columns)
        self.keys = sort_keys(self.scores, columns)
        self.counts = np.zeros(len(rows), dtype=np.int64)
        self._queries, self._images, self._rows = queries, images, rows
        self._low, self._high = _below(self.scores, bound), -_below(-self.scores, bound)
        many = np.bincount(rows, minlength=len(queries)) >= MANY
        self._few, self._crowds = np.flatnonzero(~many[rows]), np.flatnonzero(many)

    def update(self, products: Floats, start: int) -> None:
        """Take in the products with the images from column ``start`` on."""
        for first in range(0, len(self._few), len(products)):
            self._count_few(self._few[first : first + len(products)], products, start)
        columns = np.arange(start, start + products.shape[1])
        for row in self._crowds:
            exact = exact_scores(self._queries, self._images, np.full_like(columns, row), columns)
            keys = np.sort(sort_keys(exact, columns))
            pairs = slice(*np.searchsorted(self._rows, [row, row + 1]))
            self.counts[pairs] += len(keys) - np.searchsorted(keys, self.keys[pairs], side="right")

    def _count_few(self, pairs: Integers, products: Floats, start: int) -> None:
        """Count by products what is surely ahead of some pairs, and by exact scores what is close."""
        rows = self._rows[pairs]
        lines = products if np.array_equal(rows, np.arange(len(products))) else products[rows]
        surely = lines > self._high[pairs, None]
        self.counts[pairs] += _count(surely)
        perhaps = lines > self._low[pairs, None]
        which, columns = _where(np.greater(perhaps, surely, out=perhaps))
        exact = exact_scores(self._queries, self._images, rows[which], start + columns)
        ahead = which[sort_keys(exact, start + columns) > self.keys[pairs[which]]]
        self.counts[pairs] += np.bincount(ahead, minlength=len(pairs))


class Others:
    """The best image of each of some queries that is not among its pairs.

    Usually the first such image of the best; only where a query has as many pairs as there are best images,
    its products are looked at once more, without the pairs.
    """

    def __init__(
        self, queries: Floats, images: Floats, rows: Integers, columns: Integers, k: int, bound: float
    ) -> None:
        self._rows, self._columns = rows, columns
        self._many = np.flatnonzero(np.bincount(rows, minlength=len(queries)) >= k)
        self._best = Best(queries[self._many], images, 1, bound)

    def update(self, products: Floats, start: int) -> None:
        """Take in the products with the images from column ``start`` on."""
        if len(self._many):
            lines = products[self._many]
            inside = (self._columns >= start) & (self._columns < start + products.shape[1])
            inside &= np.isin(self._rows, self._many)
            which = np.searchsorted(self._many, self._rows[inside])
            lines[which, self._columns[inside] - start] = -np.inf
            self._best.update(lines, start)

    def keys(self, best: Integers, pairs: Integers) -> Integers:
        """Return the keys, ``(n_queries,)``, given those of the best images and of the pairs."""
        place = np.arange(len(best))[:, None] * np.int64(2**32)
        taken = np.isin(place + (best & LAST), place[self._rows, 0] + (pairs & LAST))
        found: Integers = best[np.arange(len(best)), taken.argmin(axis=1)]
        found[self._many] = self._best.keys()[:, 0]
        return found


def rank_gallery(
    queries: Floats,
    images: Floats,
    rows: Integers,
    columns: Integers,
    k: int,
    *,
    threads: int | None = None,
    query_block: int = QUERY_BLOCK,
    image_block: int = IMAGE_BLOCK,
) -> Iterator[Ranking]:
    """Yield, query by query in order, the best images and the exact rank of each pair.

    ``rank = 1 + |{j : s_j > s}| + |{j < column : s_j = s}|`` over the whole gallery.

    Args:
        queries: ``(n_queries, dim)`` float32, unit rows.
        images: ``(n_images, dim)`` float32, unit rows; may be memory-mapped.
        rows, columns: ``(n_pairs,)`` int64, ``rows`` in increasing order; a query may have none.
        k: how many images to return, at least 1; more than ``n_images`` gives them all.
        threads: besides those of the BLAS; None for one a core.
        query_block, image_block: rows and columns of a product. They change no result.

    Raises:
        ValueError: the dimensions differ, the gallery is empty, or a value is not finite.
    """
    check_shapes(queries, images)
    images, bound, k = np.asarray(images), error_bound(queries, images), min(k, len(images))
    threads = max(1, threads or os.cpu_count() or 1)
    image_block = max(image_block, 2 * k)
    query_block = max(1, min(query_block, -(-len(queries) // threads), 2**30 // (128 * image_block)))

    def rank_block(start: int) -> Ranking:
        block = slice(start, min(start + query_block, len(queries)))
        pairs = slice(*map(int, np.searchsorted(rows, [block.start, block.stop])))
        own = rows[pairs] - start, columns[pairs]
        return _rank_block(queries[block], images, *own, k, bound, image_block)._replace(
            queries=block, pairs=pairs
        )

    starts = range(0, len(queries), query_block)
    with threadpool_limits(1 if len(starts) > 1 else None, "blas"):
        pool = ThreadPoolExecutor(threads)
        try:
            yield from pool.map(rank_block, starts)
        finally:
            pool.shutdown(cancel_futures=True)


def _rank_block(
    queries: Floats, images: Floats, rows: Integers, columns: Integers, k: int, bound: float, image_block: int
) -> Ranking:
    """Return what a few queries find; ``queries`` and ``pairs`` of the result count from them on."""
    best, ahead = Best(queries, images, k, bound), Ahead(queries, images, rows, columns, bound)
    others = Others(queries, images, rows, columns, k, bound)
    buffer = np.empty(len(queries) * min(image_block, len(images)), dtype=np.float32)
    for start in range(0, len(images), image_block):
        block = images[start : start + image_block]
        products = buffer[: len(queries) * len(block)].reshape(len(queries), len(block))
        np.matmul(queries, block.T, out=products)
        for part in (best, ahead, others):
            part.update(products, start)
    best_keys = best.keys()
    other = others.keys(best_keys, ahead.keys)
    (scores, best_columns), (other_scores, other_columns) = from_keys(best_keys), from_keys(other)
    before = rows[ahead.keys > other[rows]]
    return Ranking(
        slice(0, len(queries)), best_columns, scores,
        slice(0, len(rows)), 1 + ahead.counts, ahead.scores,
        np.where(other > EMPTY, other_columns, -1),
        1 + np.bincount(before, minlength=len(other)), other_scores,
    )  # fmt: skip


def _below(scores: Floats, bound: float) -> Floats:
    """Return float32 values surely below ``scores - bound``."""
    return np.nextafter((scores.astype(np.float64) - bound).astype(np.float32), np.float32(-np.inf))


def _count(mask: npt.NDArray[np.bool_]) -> Integers:
    """Return how many are true in each row; several times faster than ``count_nonzero`` by axis."""
    packed = np.packbits(mask, axis=1)
    padded = np.zeros((len(mask), -(-packed.shape[1] // 8) * 8), dtype=np.uint8)
    padded[:, : packed.shape[1]] = packed
    counts: Integers = np.bitwise_count(padded.view(np.uint64)).sum(axis=1, dtype=np.int64)
    return counts


def _where(mask: npt.NDArray[np.bool_]) -> tuple[Integers, Integers]:
    """Return the rows and columns where ``mask`` is true, row by row; faster than ``np.nonzero``."""
    return np.divmod(np.flatnonzero(mask), mask.shape[1])
