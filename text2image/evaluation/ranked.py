"""The exact ranks of relevant images, query after query: what all measures are computed from."""

from typing import NamedTuple, Self

import numpy as np

from text2image.base.arrays import Booleans, Integers


class RankedQueries(NamedTuple):
    """The ranks of the relevant images of all queries, query after query.

    Attributes:
        ranks: ``(n_pairs,)`` int64 in [1, n_images].
        relevance: ``(n_pairs,)`` int64, at least 1.
        n_relevant: ``(n_queries,)`` int64, at least 1, summing to n_pairs.
        n_images: the size of the gallery.
        clusters: ``(n_queries,)`` int64, the same for queries that are not independent.
    """

    ranks: Integers
    relevance: Integers
    n_relevant: Integers
    n_images: int
    clusters: Integers

    @property
    def starts(self) -> Integers:
        """Where each query's pairs begin: query *q* owns ``ranks[starts[q]:starts[q + 1]]``.

        Raises:
            ValueError: a query has no relevant image; that is an error, never a score of zero.
        """
        if len(self.n_relevant) == 0 or self.n_relevant.min() < 1:
            raise ValueError("expected queries with at least one relevant image each, found one with none")
        return np.cumsum(self.n_relevant) - self.n_relevant

    @property
    def best_ranks(self) -> Integers:
        """The rank of each query's first relevant image: ``(n_queries,)``."""
        return best_rank(self.ranks, self.starts)

    def of(self, chosen: Booleans) -> Self:
        """Return the queries that are ``chosen``: ``(n_queries,)`` bool. Their clusters keep their numbers."""
        pairs = np.repeat(chosen, self.n_relevant)
        return self._replace(
            ranks=self.ranks[pairs],
            relevance=self.relevance[pairs],
            n_relevant=self.n_relevant[chosen],
            clusters=self.clusters[chosen],
        )


def best_rank(ranks: Integers, starts: Integers) -> Integers:
    """Return the rank of each query's first relevant image: ``(n_queries,)`` in [1, n_images].

    >>> best_rank(np.array([5, 2, 1]), np.array([0, 2])).tolist()
    [2, 1]
    """
    return np.minimum.reduceat(ranks, starts)
