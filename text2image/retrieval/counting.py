"""What is kept of a gallery while its products with some queries go by, block by block of images.

Products are float32 and fast, scores exact and slow (:mod:`text2image.retrieval.scores`). Each class decides by the
products what it can, and scores exactly only those images whose products are within the error bound of the
border: :class:`Best`, the best images of each query; :class:`RankCounter`, how many images rank before each relevant one;
:class:`BestIrrelevant`, the best image of each query that is not relevant.
"""

import numpy as np

from text2image.base.arrays import Booleans, Integers, Vectors
from text2image.formats.views import ImageVectors
from text2image.retrieval.scores import LAST, from_keys, gallery_scores, sort_keys

MANY = 256  # pairs a query from which its whole rows are scored exactly: no more work for more pairs
EMPTY = sort_keys(np.full(1, -np.inf, dtype=np.float32), np.full(1, LAST))[0]


class Best:
    """The ``k`` best images so far of each of some queries.

    Held as keys in increasing order, ``(n_queries, n)`` with n ≥ k: all images that could be among the best
    once they are scored exactly, which waits for the end unless they are too many.
    """

    def __init__(self, queries: Vectors, images: ImageVectors, k: int, bound: float) -> None:
        self._queries, self._images, self._k, self._bound = queries, images, k, bound
        self._keys = np.full((len(queries), k), EMPTY)
        self._floor = np.full(len(queries), -np.inf, dtype=np.float32)  # no product below is among the best

    def update(self, products: Vectors, start: int) -> None:
        """Take in the products with the images from column ``start`` on."""
        above = products > self._floor[:, None]
        crowded = np.flatnonzero(count_true(above) > 2 * self._k)
        if len(crowded) and self._k < products.shape[1]:
            kth = np.partition(products[crowded], -self._k, axis=1)[:, -self._k]
            self._floor[crowded] = np.maximum(self._floor[crowded], _below(kth, 2 * self._bound))
            above[crowded] = products[crowded] > self._floor[crowded, None]
        rows, columns = where_true(above)
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
        exact = gallery_scores(self._queries, self._images, rows[which], columns)
        keys[which, places] = sort_keys(exact, columns)
        keys.sort(axis=1)
        keys[:, : -self._k] = EMPTY
        self._keys[rows] = keys


class RankCounter:
    """How many images so far rank before each pair of a query and an image of the gallery."""

    def __init__(
        self, queries: Vectors, images: ImageVectors, rows: Integers, columns: Integers, bound: float
    ) -> None:
        self.scores = gallery_scores(queries, images, rows, columns)
        self.keys = sort_keys(self.scores, columns)
        self.counts = np.zeros(len(rows), dtype=np.int64)
        self._queries, self._images, self._rows = queries, images, rows
        self._low, self._high = _below(self.scores, bound), -_below(-self.scores, bound)
        many = np.bincount(rows, minlength=len(queries)) >= MANY
        self._other_pairs, self._crowded_queries = np.flatnonzero(~many[rows]), np.flatnonzero(many)

    def update(self, products: Vectors, start: int) -> None:
        """Take in the products with the images from column ``start`` on."""
        for first in range(0, len(self._other_pairs), len(products)):
            self._count(self._other_pairs[first : first + len(products)], products, start)
        columns = np.arange(start, start + products.shape[1])
        for row in self._crowded_queries:
            exact = gallery_scores(self._queries, self._images, np.full_like(columns, row), columns)
            keys = np.sort(sort_keys(exact, columns))
            pairs = slice(*np.searchsorted(self._rows, [row, row + 1]))
            self.counts[pairs] += len(keys) - np.searchsorted(keys, self.keys[pairs], side="right")

    def _count(self, pairs: Integers, products: Vectors, start: int) -> None:
        """Count by products what is above some pairs beyond doubt, and by exact scores what is close."""
        rows = self._rows[pairs]
        lines = products if np.array_equal(rows, np.arange(len(products))) else products[rows]
        above = lines > self._high[pairs, None]
        self.counts[pairs] += count_true(above)
        uncertain = lines > self._low[pairs, None]
        which, columns = where_true(np.greater(uncertain, above, out=uncertain))
        exact = gallery_scores(self._queries, self._images, rows[which], start + columns)
        before = which[sort_keys(exact, start + columns) > self.keys[pairs[which]]]
        self.counts[pairs] += np.bincount(before, minlength=len(pairs))


class BestIrrelevant:
    """The best image of each of some queries that is not among its pairs.

    Usually the first such image of the best; only where a query has as many pairs as there are best images,
    its products are looked at once more, without the pairs.
    """

    def __init__(
        self, queries: Vectors, images: ImageVectors, rows: Integers, columns: Integers, k: int, bound: float
    ) -> None:
        self._rows, self._columns = rows, columns
        self._crowded_queries = np.flatnonzero(np.bincount(rows, minlength=len(queries)) >= k)
        self._best = Best(queries[self._crowded_queries], images, 1, bound)

    def update(self, products: Vectors, start: int) -> None:
        """Take in the products with the images from column ``start`` on."""
        if len(self._crowded_queries):
            lines = products[self._crowded_queries]
            inside = (self._columns >= start) & (self._columns < start + products.shape[1])
            inside &= np.isin(self._rows, self._crowded_queries)
            which = np.searchsorted(self._crowded_queries, self._rows[inside])
            lines[which, self._columns[inside] - start] = -np.inf
            self._best.update(lines, start)

    def keys(self, best: Integers, pairs: Integers) -> Integers:
        """Return the keys, ``(n_queries,)``, given those of the best images and of the pairs."""
        place = np.arange(len(best))[:, None] * np.int64(2**32)
        taken = np.isin(place + (best & LAST), place[self._rows, 0] + (pairs & LAST))
        keys: Integers = best[np.arange(len(best)), taken.argmin(axis=1)]
        keys[self._crowded_queries] = self._best.keys()[:, 0]
        return keys


def _below(scores: Vectors, bound: float) -> Vectors:
    """Return float32 values surely below ``scores - bound``."""
    return np.nextafter((scores.astype(np.float64) - bound).astype(np.float32), np.float32(-np.inf))


def count_true(mask: Booleans) -> Integers:
    """Return how many are true in each row; several times faster than ``count_nonzero`` by axis."""
    packed = np.packbits(mask, axis=1)
    padded = np.zeros((len(mask), -(-packed.shape[1] // 8) * 8), dtype=np.uint8)
    padded[:, : packed.shape[1]] = packed
    counts: Integers = np.bitwise_count(padded.view(np.uint64)).sum(axis=1, dtype=np.int64)
    return counts


def where_true(mask: Booleans) -> tuple[Integers, Integers]:
    """Return the rows and columns where ``mask`` is true, row by row; faster than ``np.nonzero``."""
    return np.divmod(np.flatnonzero(mask), mask.shape[1])
