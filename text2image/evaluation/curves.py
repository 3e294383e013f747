"""What the charts of an evaluation draw: a few points a series, however many queries there are."""

from collections.abc import Container, Iterator, Sequence

import numpy as np
import pandas as pd

from text2image.base.arrays import Integers
from text2image.evaluation.measures import Measure, compared, per_query
from text2image.evaluation.ranked import RankedQueries
from text2image.evaluation.results import AllResults, decimals
from text2image.evaluation.summary import ENDS, Figures, Resampling, with_intervals
from text2image.formats.tables import chart_text

CURVE_K = (1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 75, 100)
RANK_BINS = ((1, 1), (2, 2), (3, 3), (4, 5), (6, 10), (11, 20), (21, 50), (51, 100), (101, None))
STEPS = 100
"""Ranks beyond are one step of a curve of reciprocal ranks: all of them are below 0.01."""


def hit_rate_curve(queries: RankedQueries, resampling: Resampling) -> pd.DataFrame:
    """Return the hit rate at those k of ``CURVE_K`` that the gallery allows, with interval and chance level."""
    measures = [Measure("hit_rate", k) for k in CURVE_K if k <= queries.n_images]
    figures = with_intervals(per_query(queries, measures), queries.clusters, resampling)
    rows = [
        (measure.k, *(figures[f"{measure}{end}"] for end in ENDS), measure.chance(queries))
        for measure in measures
    ]
    return pd.DataFrame(rows, columns=["k", "hit_rate", "low", "high", "chance"])


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


def margins(queries: pd.DataFrame) -> pd.DataFrame:
    """Return the text of each query with the scores of its best relevant and its best irrelevant image."""
    known = queries.dropna(subset="best_irrelevant")
    columns = {"best_relevant": "relevant", "best_irrelevant": "irrelevant"}
    return known[["text", *columns]].rename(columns=columns).assign(text=known["text"].map(chart_text))


def marked(system: str, *, circular: bool) -> str:
    """Return what a chart calls a system, which says if it is not tested by the labels.

    >>> marked("clip", circular=True)
    'clip (circular)'
    """
    return f"{system} (circular)" if circular else system


def chart_tables(
    results: AllResults, resampling: Resampling, circular: Container[tuple[str, str]] = (), label: str = ""
) -> dict[str, pd.DataFrame]:
    """Return the tables of the charts by name, a series a system and source.

    Args:
        results: ``{(system, source): results}``.
        resampling: of the intervals.
        circular: the pairs that are marked as such.
        label: what the series' names end with.
    """
    tables: dict[str, list[pd.DataFrame]] = {}
    for (system, source), one in results.items():
        best = one.ranked.best_ranks
        reciprocal = pd.DataFrame(reciprocal_rank_curve(best), columns=["share", "reciprocal_rank"])
        for name, table in {
            "hit_rate": hit_rate_curve(one.ranked, resampling).pipe(decimals),
            "reciprocal_ranks": reciprocal.pipe(decimals),
            "ranks": pd.DataFrame(rank_shares(best), columns=["rank", "share"]).pipe(decimals),
            "margins": margins(one.queries),
        }.items():
            called = marked(system, circular=(system, source) in circular)
            table.insert(0, "series", f"{called} · {source}{label}")
            tables.setdefault(name, []).append(table)
    return {name: pd.concat(parts) for name, parts in tables.items()}


def interval_table(figures: Figures, ks: Sequence[int]) -> pd.DataFrame:
    """Return the main measures of metrics.json with interval and chance level."""
    rows = [
        (
            *(marked(system, circular=row["circular"]), source, str(measure)),
            *(row[f"{measure}{end}"] for end in ENDS),
            row["chance"][str(measure)],
        )
        for system, sources in figures.items()
        for source, row in sources.items()
        for measure in compared(ks)
    ]
    columns = ["system", "source", "measure", "value", "low", "high", "chance"]
    return pd.DataFrame(rows, columns=columns).pipe(decimals)
