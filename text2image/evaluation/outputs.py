"""All that follows from the results of every model on every source: figures, comparisons, tables, sentences."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from text2image.evaluation.comparison import Comparison, compare, holm, verdict
from text2image.evaluation.curves import chart_tables, interval_table
from text2image.evaluation.leaderboard import leaderboard
from text2image.evaluation.measures import MRR, Measure, compared, headline, per_query, reported
from text2image.evaluation.results import AllResults
from text2image.evaluation.summary import Figures, Resampling, summarise

ONE_MODEL = "one model only: there is nothing to compare it with"

Comparisons = dict[str, dict[str, Any]]
"""comparison.json: ``{source: {"summary": sentences, "A - B": {measure: figures}}}``."""


def make_outputs(
    results: AllResults,
    ks: Sequence[int],
    resampling: Resampling,
    cards: Mapping[str, Mapping[str, Any]],
    excluded: Mapping[str, Mapping[str, Any]],
    label: str = "",
) -> tuple[Figures, Comparisons, dict[str, pd.DataFrame], list[str]]:
    """Return metrics.json, comparison.json, the tables of the charts in plots/ by name, and what people are told.

    Args:
        results: ``{(model, source): results}``.
        ks: the cut-offs ``evaluate.k``.
        resampling: of intervals and comparisons.
        cards: what each model consists of.
        excluded: what metrics.json says of the data that fine-tuned models have seen, by source.
        label: what follows the names of series where figures are not of held-out data.
    """
    metrics: Figures = {}
    for (model, source), one in results.items():
        figures = summarise(one.ranked, reported(ks), resampling)
        metrics.setdefault(model, {})[source] = dict(excluded[source]) | figures
    comparison = compare_models(results, compared(ks), headline(ks), resampling)
    tables = chart_tables(results, resampling, label) | {
        "intervals": interval_table(metrics, ks),
        "leaderboard": leaderboard(metrics, cards, headline(ks)),
    }
    return metrics, comparison, tables, list(_sentences(metrics, comparison, label))


def compare_models(
    results: AllResults, measures: Sequence[Measure], headline: Measure, resampling: Resampling
) -> Comparisons:
    """Compare every pair of models on every source, with Holm's correction over all comparisons.

    Args:
        results: ``{(model, source): results}``.
        measures: those by which to compare.
        headline: that of ``measures`` which the sentences speak of.
        resampling: of the intervals.

    Raises:
        ValueError: two models answer different queries of a source.
    """
    values = {key: per_query(one.ranked, measures).to_numpy() for key, one in results.items()}
    rows: list[tuple[str, str, str, Measure, Comparison]] = []
    for left, right in combinations(results, 2):
        (first, source), (second, other) = left, right
        if source != other:
            continue
        if results[left].queries["query_id"].tolist() != results[right].queries["query_id"].tolist():
            raise ValueError("expected all models on the same queries, found others")
        clusters = results[left].ranked.clusters
        comparisons = compare(values[left], values[right], clusters, **resampling._asdict())
        rows += [(source, first, second, *one) for one in zip(measures, comparisons, strict=True)]
    adjusted = holm(np.array([comparison.p_value for *_, comparison in rows])).tolist()
    table: Comparisons = {source: {"summary": []} for _, source in results}
    for (source, first, second, measure, comparison), p in zip(rows, adjusted, strict=True):
        figures = table[source].setdefault(f"{first} - {second}", {})
        figures[str(measure)] = comparison._asdict() | {"p_holm": p}
        if measure == headline:
            table[source]["summary"].append(verdict(first, second, measure, comparison, p))
    return {source: row | {"summary": row["summary"] or [ONE_MODEL]} for source, row in table.items()}


def _sentences(metrics: Figures, comparison: Comparisons, label: str) -> Iterator[str]:
    for model, sources in metrics.items():
        for source, row in sources.items():
            by_chance = f"chance {row['chance'][str(MRR)]:.3f}"
            yield f"{model} {source}{label}: MRR {row[str(MRR)]:.3f} ({by_chance}), {row['n_queries']} queries"
    for source, row in comparison.items():
        yield from (f"{source}{label}: {sentence}" for sentence in row["summary"])
