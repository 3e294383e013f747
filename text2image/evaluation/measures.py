"""Retrieval measures: what each is called, what it gives a query, and what chance would give.

Measures are computed from the exact ranks of relevant images and give one value a query, so that means, intervals
and paired tests all stand on the same per-query numbers. A measure is a value, ``Measure("hit_rate", 5)``, and is
written ``hit_rate@5`` in files. :data:`MEASURES` defines all of them: to add one, write its two functions
here, put them into the dictionary, and name it in :func:`reported`.

``hit_rate@k`` asks whether *any* relevant image is among the first k; ``recall@k`` which *share* of
them is. Papers on image-text retrieval often print the former under the name of the latter.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np

from text2image.base.arrays import Floats, Integers
from text2image.evaluation import chance
from text2image.evaluation.ranked import RankedQueries, best_rank

NDCG_K = 10
HEADLINE_K = 5


def reciprocal_rank(ranks: Integers, starts: Integers) -> Floats:
    """Return ``1 / best rank`` of each query, in (0, 1], without a cut-off; its mean is MRR.

    >>> reciprocal_rank(np.array([5, 2, 1]), np.array([0, 2])).tolist()
    [0.5, 1.0]

    Source: Voorhees, The TREC-8 Question Answering Track Report, 1999.
    """
    return 1.0 / best_rank(ranks, starts)


def hit_rate(ranks: Integers, starts: Integers, k: int) -> Floats:
    """Return 1.0 for each query with any relevant image at rank k or better, else 0.0.

    Also called Success@k.

    >>> hit_rate(np.array([5, 2, 1]), np.array([0, 2]), 1).tolist()
    [0.0, 1.0]
    """
    return (best_rank(ranks, starts) <= k).astype(np.float64)


def recall(ranks: Integers, starts: Integers, k: int) -> Floats:
    """Return the share of each query's relevant images at rank k or better, in [0, 1].

    >>> recall(np.array([5, 2, 1]), np.array([0, 2]), 2).tolist()
    [0.5, 1.0]
    """
    hits = np.add.reduceat((ranks <= k).astype(np.float64), starts)
    return hits / np.diff(np.append(starts, len(ranks)))


def ndcg(ranks: Integers, relevance: Integers, starts: Integers, k: int) -> Floats:
    """Return nDCG@k of each query, in [0, 1], with linear gains as trec_eval has them.

    ``DCG@k = sum of relevance_i / log2(rank_i + 1)`` over relevant images at rank k or better,
    divided by the DCG@k of the best possible order.

    >>> ndcg(np.array([1, 3]), np.array([1, 3]), np.array([0]), 10).round(4).tolist()
    [0.6885]

    Source: Järvelin and Kekäläinen, Cumulated Gain-Based Evaluation of IR Techniques, 2002.
    """
    dcg = np.add.reduceat(np.where(ranks <= k, relevance / np.log2(ranks + 1.0), 0.0), starts)
    return dcg / ideal_dcg(relevance, starts, k)


def ideal_dcg(relevance: Integers, starts: Integers, k: int) -> Floats:
    """Return the DCG@k of each query if it lists its most relevant images first: ``(n_queries,)`` > 0.

    >>> ideal_dcg(np.array([1, 3]), np.array([0]), 1).tolist()
    [3.0]
    """
    sizes = np.diff(np.append(starts, len(relevance)))
    query = np.repeat(np.arange(len(starts)), sizes)
    order = np.lexsort((-relevance, query))
    position = np.arange(len(relevance)) - np.repeat(starts, sizes) + 1
    gains = np.where(position <= k, relevance[order] / np.log2(position + 1.0), 0.0)
    return np.add.reduceat(gains, starts)


class Definition(NamedTuple):
    """What a measure is.

    Attributes:
        title: how people write it.
        values: what it gives each query, ``(n_queries,)`` in [0, 1], from the ranks and k (0 without a cut-off).
        chance: the expectation of that over random orders.
        cut_off: whether it looks at the first k images only.
    """

    title: str
    values: Callable[[RankedQueries, int], Floats]
    chance: Callable[[RankedQueries, int], Floats]
    cut_off: bool = True


MEASURES = {
    "mrr": Definition(
        "MRR",
        lambda queries, _: reciprocal_rank(queries.ranks, queries.starts),
        lambda queries, _: chance.reciprocal_rank(queries.n_relevant, queries.n_images),
        cut_off=False,
    ),
    "hit_rate": Definition(
        "HitRate",
        lambda queries, k: hit_rate(queries.ranks, queries.starts, k),
        lambda queries, k: chance.hit_rate(queries.n_relevant, queries.n_images, k),
    ),
    "recall": Definition(
        "Recall",
        lambda queries, k: recall(queries.ranks, queries.starts, k),
        lambda queries, k: chance.recall(queries.n_relevant, queries.n_images, k),
    ),
    "ndcg": Definition(
        "nDCG",
        lambda queries, k: ndcg(queries.ranks, queries.relevance, queries.starts, k),
        lambda queries, k: (
            chance.dcg(queries.relevance, queries.starts, queries.n_images, k)
            / ideal_dcg(queries.relevance, queries.starts, k)
        ),
    ),
}
"""All measures by name."""


@dataclass(frozen=True)
class Measure:
    """A measure: one of :data:`MEASURES`, with k where it has a cut-off.

    >>> str(Measure("hit_rate", k=5)), Measure.parse("mrr")
    ('hit_rate@5', Measure(name='mrr', k=None))
    """

    name: str
    k: int | None = None

    def __post_init__(self) -> None:
        if self.name not in MEASURES or MEASURES[self.name].cut_off != (self.k is not None and self.k >= 1):
            known = ", ".join(f"{name}@k" if one.cut_off else name for name, one in MEASURES.items())
            raise ValueError(f"expected one of the measures {known}, found '{self}'")

    def __str__(self) -> str:
        return self.name if self.k is None else f"{self.name}@{self.k}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the measure that ``str`` wrote.

        >>> Measure.parse("hit_rate@5").k
        5

        Raises:
            ValueError: there is no such measure.
        """
        name, at, k = text.partition("@")
        return cls(name, int(k) if k.isdecimal() else 0) if at else cls(name)

    @property
    def title(self) -> str:
        """How people write it.

        >>> Measure("hit_rate", 5).title
        'HitRate@5'
        """
        return MEASURES[self.name].title + str(self).removeprefix(self.name)

    def per_query(self, queries: RankedQueries) -> Floats:
        """Return the measure of each query: ``(n_queries,)`` float64 in [0, 1]."""
        return MEASURES[self.name].values(queries, self.k or 0)

    def chance(self, queries: RankedQueries) -> float:
        """Return what random orders would give, the mean over queries of each one's expectation."""
        return float(MEASURES[self.name].chance(queries, self.k or 0).mean())


MRR = Measure("mrr")


def reported(ks: Sequence[int]) -> list[Measure]:
    """Return the measures of metrics.json for the cut-offs ``evaluate.k``.

    >>> [str(measure) for measure in reported([5])]
    ['mrr', 'hit_rate@5', 'recall@5', 'ndcg@10']
    """
    cut_off = [Measure(name, k) for name in ("hit_rate", "recall") for k in ks]
    return [MRR, *cut_off, Measure("ndcg", NDCG_K)]


def compared(ks: Sequence[int]) -> list[Measure]:
    """Return the measures by which models and revisions are compared; the best rank of a query decides them."""
    return [MRR, *(Measure("hit_rate", k) for k in ks)]


def headline(ks: Sequence[int]) -> Measure:
    """Return the measure that sentences speak of: the hit rate at the k nearest to 5, the smaller of two.

    >>> str(headline([1, 4, 6]))
    'hit_rate@4'
    """
    return Measure("hit_rate", min(ks, key=lambda k: (abs(k - HEADLINE_K), k)))


def of_best_ranks(best_ranks: Integers, measures: Sequence[Measure]) -> Floats:
    """Return measures of which a query's best rank is enough: ``(n_queries, len(measures))``.

    >>> of_best_ranks(np.array([4, 1]), compared([1])).tolist()
    [[0.25, 0.0], [1.0, 1.0]]
    """
    one = np.ones(len(best_ranks), dtype=np.int64)
    queries = RankedQueries(best_ranks, one, one, 0, one)
    return np.stack([measure.per_query(queries) for measure in measures], axis=1)
