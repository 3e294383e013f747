"""What the charts of an evaluation draw: a few points, however many queries there are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from text2image.evaluation import chance
from text2image.evaluation import measures as metrics
from text2image.evaluation.summary import RankedQueries, Resampling, with_intervals

Integers = npt.NDArray[np.int64]

CURVE_K = (1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 75, 100)
RANK_BINS = ((1, 1), (2, 2), (3, 3), (4, 5), (6, 10), (11, 20), (21, 50), (51, 100), (101, None))
STEPS = 100
"""Ranks beyond are one step of a curve of reciprocal ranks: all of them are below 0.01."""


class HitRateAt(NamedTuple):
    """The hit rate at one k with the ends of its 95 % interval, and chance level; all in [0, 1]."""

    k: int
    hit_rate: float
    low: float
    high: float
    chance: float


def hit_rate_curve(queries: RankedQueries, resampling: Resampling) -> Iterator[HitRateAt]:
    """Yield the hit rate at those k of ``CURVE_K`` that the gallery allows."""
    starts = metrics.query_starts(queries.n_relevant)
    ks = [k for k in CURVE_K if k <= queries.n_images]
    table = {f"{k}": metrics.hit_rate(queries.ranks, starts, k) for k in ks}
    figures = with_intervals(table, queries.clusters, resampling)
    for k in ks:
        by_chance = float(chance.hit_rate(queries.n_relevant, queries.n_images, k).mean())
        yield HitRateAt(k, figures[f"{k}"], figures[f"{k}_low"], figures[f"{k}_high"], by_chance)


def reciprocal_rank_curve(best_ranks: Integers) -> Iterator[tuple[float, float]]:
    """Yield ``(share, reciprocal rank)``: the share of queries that do at least as well, best first.

    Drawn in steps that end at each point, from share 0 on, the area below is the MRR: ranks above
    ``STEPS`` are one step at the mean of their reciprocals.

    Args:
        best_ranks: ``(n_queries,)`` int64 in [1, n_images], n_queries at least 1.
    """
    ranks, counts = np.unique(best_ranks, return_counts=True)
    near = ranks <= STEPS
    values = (1.0 / ranks[near]).tolist()
    steps = counts[near].tolist()
    if not near.all():
        far = counts[~near]
        values.append(float((far / ranks[~near]).sum() / far.sum()))
        steps.append(int(far.sum()))
    yield 0.0, values[0]
    yield from zip((np.cumsum(steps) / len(best_ranks)).tolist(), values, strict=True)


def rank_shares(best_ranks: Integers) -> Iterator[tuple[str, float]]:
    """Yield ``(ranks, share of queries)``: the distribution of best ranks in bins such as "6–10"."""
    for low, high in RANK_BINS:
        inside = (best_ranks >= low) & (best_ranks <= (high if high else best_ranks.max()))
        label = str(low) if low == high else f"{low}–{high}" if high else f">{low - 1}"
        yield label, float(inside.mean())
