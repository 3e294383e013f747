"""From exact ranks to a table a query, and from it to the measures that are reported."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from text2image.evaluation import chance
from text2image.evaluation import measures as metrics
from text2image.evaluation.intervals import cluster_intervals
from text2image.evaluation.medians import median_interval

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

NDCG_K = 10


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


class Resampling(NamedTuple):
    """How intervals are made: see :func:`text2image.evaluation.intervals.cluster_intervals`."""

    resamples: int
    seed: int


def per_query(queries: RankedQueries, ks: Sequence[int]) -> dict[str, Floats]:
    """Return each measure of every query: ``{measure: (n_queries,)}``, all in [0, 1]."""
    starts = metrics.query_starts(queries.n_relevant)
    table = {"mrr": metrics.reciprocal_rank(queries.ranks, starts)}
    table |= {f"hit_rate@{k}": metrics.hit_rate(queries.ranks, starts, k) for k in ks}
    table |= {f"recall@{k}": metrics.recall(queries.ranks, starts, k) for k in ks}
    table[f"ndcg@{NDCG_K}"] = metrics.ndcg(queries.ranks, queries.relevance, starts, NDCG_K)
    return table


def at_chance(queries: RankedQueries, ks: Sequence[int]) -> dict[str, float]:
    """Return what random rankings would score: the same measures as :func:`summarise`."""
    n_relevant, n_images = queries.n_relevant, queries.n_images
    table = {"mrr": chance.reciprocal_rank(n_relevant, n_images)}
    table |= {f"hit_rate@{k}": chance.hit_rate(n_relevant, n_images, k) for k in ks}
    table |= {f"recall@{k}": chance.recall(n_relevant, n_images, k) for k in ks}
    starts = metrics.query_starts(n_relevant)
    table[f"ndcg@{NDCG_K}"] = chance.ndcg(queries.relevance, starts, n_images, NDCG_K)
    means = {name: float(values.mean()) for name, values in table.items()}
    return means | {"median_rank": chance.median_rank(n_relevant, n_images)}


def with_intervals(table: dict[str, Floats], clusters: Integers, resampling: Resampling) -> dict[str, float]:
    """Return each measure's mean and the ends of its 95 % interval: ``{m, m_low, m_high, …}``."""
    low, high = cluster_intervals(
        np.stack(list(table.values()), axis=1), clusters, resamples=resampling.resamples, seed=resampling.seed
    )
    figures: dict[str, float] = {}
    for i, (name, values) in enumerate(table.items()):
        figures |= {name: float(values.mean()), f"{name}_low": float(low[i]), f"{name}_high": float(high[i])}
    return figures


def _median_ends(best: Integers, clusters: Integers, resampling: Resampling) -> dict[str, float]:
    low, high = median_interval(best, clusters, resamples=resampling.resamples, seed=resampling.seed)
    return {"median_rank_low": low, "median_rank_high": high}


def summarise(
    queries: RankedQueries, ks: Sequence[int], resampling: Resampling | None = None
) -> dict[str, Any]:
    """Return the measures of one model on one source, beside the sizes and chance level they need.

    ``median_rank`` is the median over queries of the best relevant rank. With ``resampling`` every
    mean stands beside the ends of its 95 % interval, by bootstrap of whole clusters of queries.
    """
    n_queries = len(queries.n_relevant)
    best = metrics.best_rank(queries.ranks, metrics.query_starts(queries.n_relevant))
    table = per_query(queries, ks)
    return {
        "n_queries": n_queries,
        "n_clusters": len(np.unique(queries.clusters)),
        "n_images": queries.n_images,
        "n_relevant_mean": float(queries.n_relevant.mean()),
        **(
            with_intervals(table, queries.clusters, resampling)
            if resampling
            else {name: float(values.mean()) for name, values in table.items()}
        ),
        "median_rank": float(np.median(best)),
        **(_median_ends(best, queries.clusters, resampling) if resampling else {}),
        "chance": at_chance(queries, ks),
    }
