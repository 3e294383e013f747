"""From the ranks of a system on a source to the figures that are reported: means and medians with their intervals."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from text2image.base.arrays import Integers
from text2image.evaluation import chance
from text2image.evaluation.measures import Measure, per_query
from text2image.evaluation.ranked import RankedQueries
from text2image.evaluation.statistics.comparison import known
from text2image.evaluation.statistics.intervals import cluster_intervals
from text2image.evaluation.statistics.median import median_interval
from text2image.formats.tables import Row
from text2image.queries.asked import EXCLUDED
from text2image.queries.split import TEST, others

MEDIAN_RANK = "median_rank"
ENDS = ("", "_low", "_high")
"""What the names of a mean and of the ends of its interval end with."""

Figures = dict[str, dict[str, dict[str, Any]]]
"""metrics.json: ``{system: {source: figures}}``."""


class Resampling(NamedTuple):
    """How intervals are made: see :func:`text2image.evaluation.statistics.intervals.cluster_intervals`."""

    resamples: int
    seed: int


def with_intervals(
    table: pd.DataFrame, clusters: Integers, resampling: Resampling
) -> dict[str, float | None]:
    """Return each measure's mean and the ends of its 95 % interval: ``{m, m_low, m_high, …}``.

    The ends are None where there are too few clusters for an interval.
    """
    low, high = cluster_intervals(table.to_numpy(), clusters, **resampling._asdict())
    means = [table[name].to_numpy().mean() for name in table]
    return {
        f"{name}{end}": known(value)
        for name, *values in zip(table, means, low, high, strict=True)
        for end, value in zip(ENDS, values, strict=True)
    }


def at_chance(queries: RankedQueries, measures: Sequence[Measure]) -> dict[str, float]:
    """Return what random rankings would score: ``measures`` and the median rank."""
    figures = {str(measure): measure.chance(queries) for measure in measures}
    return figures | {MEDIAN_RANK: chance.median_rank(queries.n_relevant, queries.n_images)}


def summarise(queries: RankedQueries, measures: Sequence[Measure], resampling: Resampling) -> dict[str, Any]:
    """Return the measures of one system on one source, beside the sizes and chance level they need.

    Every mean stands beside the ends of its 95 % interval, by bootstrap of whole clusters of queries; the ends are
    None where there are fewer than ``MIN_CLUSTERS``. ``median_rank`` is the median over queries of the best
    relevant rank.
    """
    best = queries.best_ranks
    low, high = median_interval(best, queries.clusters, (1, queries.n_images)) or (None, None)
    return {
        "n_queries": len(queries.n_relevant),
        "n_clusters": len(np.unique(queries.clusters)),
        "n_images": queries.n_images,
        "n_relevant_mean": float(queries.n_relevant.mean()),
        **with_intervals(per_query(queries, measures), queries.clusters, resampling),
        MEDIAN_RANK: float(np.median(best)),
        f"{MEDIAN_RANK}_low": low,
        f"{MEDIAN_RANK}_high": high,
        "chance": at_chance(queries, measures),
    }


def part_label(runs: Sequence[str], part: str) -> str:
    """Return how figures on data that a fine-tuned model has seen are labelled.

    >>> part_label(["some"], "train"), part_label(["some"], "test"), part_label([], "train")
    (' (train)', '', '')
    """
    return f" ({part})" if runs and part != TEST else ""


def training_data(
    runs: Sequence[str], part: str, left_out: Mapping[str, Iterable[Row]], n_images: int
) -> dict[str, dict[str, Any]]:
    """Return what metrics.json says, by source, of data that is excluded for the sake of fine-tuned models.

    Args:
        runs: the fine-tuning runs that made systems in use; without any there is nothing to say.
        part: the part of their splits that is measured.
        left_out: the queries of each source that are not asked, with the reason.
        n_images: how many images are not searched.
    """
    if not runs:
        return {source: {} for source in left_out}
    why = f"the {others(part)} parts of what {', '.join(runs)} learned from, for all systems alike"
    n_queries = {source: sum(row["reason"] == EXCLUDED for row in rows) for source, rows in left_out.items()}
    return {
        source: {"part": part, "excluded": {"n_queries": n, "n_images": n_images, "why": why}}
        for source, n in n_queries.items()
    }
