"""The first images of another system in a new order: the kind ``rerank``.

Whoever looks a second time, a vision model or a cross-encoder, grades the first ``depth`` images of the other system, the
*base*, for each query. They are ordered by these grades, ties by the base's order; all other images follow as the base
has them. A query of which the base says nothing (all its scores are equal) has no first images: nothing is graded for
it, and this system says nothing of it either.

Source: Nogueira and Cho, Passage Re-ranking with BERT, 2019.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from text2image.base.arrays import Integers, Vectors
from text2image.retrieval.ranking import BLOCK_SCORES, top_k
from text2image.retrieval.scores import sort_keys
from text2image.retrieval.systems.scorer import Scorer, Why

MOST_IMAGES = 2**24 - 2
"""So many ranks are told apart in float32, see :meth:`Rerank.scores`; with levels and places of ``MOST_FIRST``."""

MOST_FIRST = 1000
"""The most images of a query that are graded, and the highest level."""


class Grade(NamedTuple):
    """What a second look says of an image for a query.

    Attributes:
        level: in [0, ``MOST_FIRST``], higher is better.
        shown: the grade as people read it; "" for none.
        reason: why, where the model says so.
    """

    level: int
    shown: str
    reason: str = ""


Pairs = Sequence[tuple[int, int]]
"""``(query, image)``, both counted from 0."""


class Rerank:
    """A system of the kind ``rerank``; a :class:`text2image.retrieval.systems.scorer.Scorer`."""

    def __init__(self, base: Scorer, depth: int, grade: Callable[[Pairs], Sequence[Grade]]) -> None:
        """Find the first images of the base, and have them graded: all that costs anything is done here.

        Args:
            base: the other system.
            depth: how many of its first images are graded.
            grade: returns the grades of pairs, in their order; it may ask a service.

        Raises:
            ValueError: more images than ranks can be told apart in float32, or more to be graded.
        """
        if base.n_images > MOST_IMAGES or depth > MOST_FIRST:
            raise ValueError(
                f"expected at most {MOST_IMAGES:,} images and {MOST_FIRST:,} to be ranked again, "
                f"found {base.n_images:,} and {depth:,}"
            )
        self.base, self.first = base, list(first_images(base, depth))
        pairs = [(query, int(image)) for query, images in enumerate(self.first) for image in images]
        self.grades = dict(zip(pairs, grade(pairs), strict=True))

    @property
    def n_queries(self) -> int:
        """How many queries it was built for."""
        return self.base.n_queries

    @property
    def n_images(self) -> int:
        """How many images are searched."""
        return self.base.n_images

    def scores(self, queries: slice) -> Vectors:
        """Return scores in the new order, ``(n, n_images)`` float32.

        Of the first images ``level + 1 - place / (depth + 1)``, where ``place`` in [0, depth) is the image's in the
        base's order; of the others ``-rank / (n_images + 1)`` by the base's rank. All are different, so no tie rule can
        change the order. A row of which the base says nothing is zero.
        """
        rows = self.base.scores(queries)
        every = np.arange(rows.shape[1])
        for row, query in zip(rows, range(*queries.indices(self.n_queries)), strict=True):
            first = self.first[query]
            if not len(first):
                row[:] = 0.0
                continue
            order = np.argsort(-sort_keys(row, every))  # keys differ: the order is one, however it is sorted
            row[order] = -np.arange(1, len(row) + 1) / (len(row) + 1)
            levels = np.array([self.grades[query, int(image)].level for image in first])
            row[first] = levels + 1 - np.arange(len(first)) / (len(first) + 1)
        return rows

    def explain(self, query: int, columns: Sequence[int]) -> list[Why]:
        """Return why the base has the images where it has them, and the grade and reason of those that were graded."""
        whys = []
        for column, why in zip(columns, self.base.explain(query, columns), strict=True):
            grade = self.grades.get((query, column))
            whys.append(why._replace(grade=grade.shown, reason=grade.reason) if grade else why)
        return whys


def first_images(base: Scorer, depth: int) -> Iterator[Integers]:
    """Yield the columns of the first ``depth`` images of each query, best first; none where the base says nothing."""
    step = max(1, BLOCK_SCORES // max(1, base.n_images))
    for start in range(0, base.n_queries, step):
        rows = base.scores(slice(start, min(start + step, base.n_queries)))
        for row, best in zip(rows, top_k(rows, depth), strict=True):
            yield best if row.min() < row.max() else best[:0]
