"""Retrieval measures: what each is called, what it gives a query, and what chance would give.

Measures are computed from the exact ranks of relevant images and give one value a query, so that means, intervals
and paired tests all stand on the same per-query numbers. A measure is a value, ``Measure("hit_rate", 5)``, and is
written ``hit_rate@5`` in files. To add one, put its two functions into :data:`MEASURES` and name it in
:func:`reported`.

``hit_rate@k`` asks whether *any* relevant image is among the first k; ``recall@k`` which *share* of
them is. Papers on image-text retrieval often print the former under the name of the latter.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
import pandas as pd

from text2image.base.arrays import Floats, Integers
from text2image.evaluation import chance
from text2image.evaluation.ranked import RankedQueries

NDCG_K = 10
HEADLINE_K = 5


def hit_rate(queries: RankedQueries, k: int) -> Floats:
    """Return 1.0 for each query with any relevant image at rank k or better, else 0.0; also called Success@k."""
    return (queries.best_ranks <= k).astype(np.float64)


def recall(queries: RankedQueries, k: int) -> Floats:
    """Return the share of each query's relevant images at rank k or better, in [0, 1]."""
    hits = np.add.reduceat((queries.ranks <= k).astype(np.float64), queries.starts)
    return hits / queries.n_relevant


def ndcg(queries: RankedQueries, k: int) -> Floats:
    """Return nDCG@k of each query, in [0, 1], with linear gains as trec_eval has them.

    ``DCG@k = sum of relevance_i / log2(rank_i + 1)`` over relevant images at rank k or better,
    divided by the DCG@k of the best possible order.

    Source: Järvelin and Kekäläinen, Cumulated Gain-Based Evaluation of IR Techniques, 2002.
    """
    gains = np.where(queries.ranks <= k, queries.relevance / np.log2(queries.ranks + 1.0), 0.0)
    return np.add.reduceat(gains, queries.starts) / ideal_dcg(queries, k)


def ideal_dcg(queries: RankedQueries, k: int) -> Floats:
    """Return the DCG@k of each query if it lists its most relevant images first: ``(n_queries,)`` > 0."""
    starts, sizes = queries.starts, queries.n_relevant
    order = np.lexsort((-queries.relevance, np.repeat(np.arange(len(sizes)), sizes)))
    position = np.arange(len(order)) - np.repeat(starts, sizes) + 1
    gains = np.where(position <= k, queries.relevance[order] / np.log2(position + 1.0), 0.0)
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
    "mrr": Definition(  # Voorhees, The TREC-8 Question Answering Track Report, 1999
        "MRR",
        lambda queries, _: 1.0 / queries.best_ranks,
        lambda queries, _: chance.reciprocal_rank(queries.n_relevant, queries.n_images),
        cut_off=False,
    ),
    "hit_rate": Definition(
        "HitRate", hit_rate, lambda queries, k: chance.hit_rate(queries.n_relevant, queries.n_images, k)
    ),
    "recall": Definition(
        "Recall", recall, lambda queries, k: chance.recall(queries.n_relevant, queries.n_images, k)
    ),
    "ndcg": Definition(
        "nDCG",
        ndcg,
        lambda queries, k: (
            chance.dcg(queries.relevance, queries.starts, queries.n_images, k) / ideal_dcg(queries, k)
        ),
    ),
}
"""All measures by name."""


@dataclass(frozen=True)
class Measure:
    """A measure: one of :data:`MEASURES`, with k where it has a cut-off.

    >>> str(Measure("hit_rate", k=5)), str(Measure("mrr"))
    ('hit_rate@5', 'mrr')
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
        """Return the measure of each query: ``(n_queries,)`` float64 in [0, 1].

        >>> ranks, n_relevant = np.array([5, 2, 1]), np.array([2, 1])  # relevant images at ranks 5 and 2, and at 1
        >>> queries = RankedQueries(ranks, np.ones_like(ranks), n_relevant, n_images=9, clusters=np.arange(2))
        >>> Measure("recall", 2).per_query(queries).tolist()
        [0.5, 1.0]
        """
        return MEASURES[self.name].values(queries, self.k or 0)

    def chance(self, queries: RankedQueries) -> float:
        """Return what random orders would give, the mean over queries of each one's expectation."""
        return float(MEASURES[self.name].chance(queries, self.k or 0).mean())


MRR = Measure("mrr")


def per_query(queries: RankedQueries, measures: Sequence[Measure]) -> pd.DataFrame:
    """Return each measure of every query: a row a query, a column a measure, named as its ``str``."""
    return pd.DataFrame({str(measure): measure.per_query(queries) for measure in measures})


def reported(ks: Sequence[int]) -> list[Measure]:
    """Return the measures of metrics.json for the cut-offs ``evaluate.k``.

    >>> [str(measure) for measure in reported([5])]
    ['mrr', 'hit_rate@5', 'recall@5', 'ndcg@10']
    """
    cut_off = [Measure(name, k) for name in ("hit_rate", "recall") for k in ks]
    return [MRR, *cut_off, Measure("ndcg", NDCG_K)]


def compared(ks: Sequence[int]) -> list[Measure]:
    """Return the measures by which systems and revisions are compared; the best rank of a query decides them."""
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
    one = np.ones_like(best_ranks)
    values: Floats = per_query(RankedQueries(best_ranks, one, one, 0, one), measures).to_numpy()
    return values
