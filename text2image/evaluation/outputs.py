"""All that follows from the results of every model on every source: figures, comparisons, tables, sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

from text2image.evaluation.comparison import compare_models
from text2image.evaluation.curves import chart_tables, interval_table
from text2image.evaluation.leaderboard import leaderboard
from text2image.evaluation.measures import MRR, compared, headline, reported
from text2image.evaluation.results import AllResults
from text2image.evaluation.summary import Resampling, summarise


class Outputs(NamedTuple):
    """What ``evaluate`` writes and says.

    Attributes:
        metrics: metrics.json, ``{model: {source: figures}}``.
        comparison: comparison.json, ``{source: …}``.
        tables: those of the charts in plots/, by name.
        sentences: what people are told.
    """

    metrics: dict[str, dict[str, dict[str, Any]]]
    comparison: dict[str, dict[str, Any]]
    tables: dict[str, pd.DataFrame]
    sentences: list[str]


def make_outputs(
    results: AllResults,
    ks: Sequence[int],
    resampling: Resampling,
    *,
    cards: Mapping[str, Mapping[str, Any]],
    excluded: Mapping[str, Mapping[str, Any]],
    label: str = "",
) -> Outputs:
    """Return all outputs.

    Args:
        results: ``{(model, source): results}`` with the measures ``reported(ks)``.
        ks: the cut-offs ``evaluate.k``.
        resampling: of intervals and comparisons.
        cards: what each model consists of.
        excluded: what metrics.json says of training data, by source.
        label: what follows the names of series where figures are not of held-out data.
    """
    metrics: dict[str, dict[str, dict[str, Any]]] = {}
    for (model, source), one in results.items():
        figures = summarise(one.ranked, reported(ks), resampling, one.measures)
        metrics.setdefault(model, {})[source] = dict(excluded[source]) | figures
    comparison = compare_models(results, compared(ks), headline(ks), **resampling._asdict())
    tables = chart_tables(results, resampling, label) | {
        "intervals": interval_table(metrics, ks),
        "leaderboard": leaderboard(metrics, cards, list(comparison), headline(ks)),
    }
    return Outputs(metrics, comparison, tables, list(_sentences(metrics, comparison, label)))


def _sentences(
    metrics: Mapping[str, Mapping[str, Mapping[str, Any]]], comparison: Mapping[str, Any], label: str
) -> Iterator[str]:
    for model, sources in metrics.items():
        for source, row in sources.items():
            by_chance = f"chance {row['chance'][str(MRR)]:.3f}"
            yield f"{model} {source}{label}: MRR {row[str(MRR)]:.3f} ({by_chance}), {row['n_queries']} queries"
    for source, row in comparison.items():
        yield from (f"{source}{label}: {sentence}" for sentence in row["summary"])
