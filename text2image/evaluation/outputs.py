"""All that follows from the results of every system on every source: figures, comparisons, tables, sentences."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from text2image.evaluation.curves import chart_tables, interval_table
from text2image.evaluation.kinds import by_kind
from text2image.evaluation.leaderboard import Cost, leaderboard
from text2image.evaluation.measures import MRR, Measure, compared, headline, per_query, reported
from text2image.evaluation.results import AllResults, Results
from text2image.evaluation.statistics.comparison import Comparison, compare, verdict
from text2image.evaluation.statistics.randomisation import holm
from text2image.evaluation.summary import Figures, Resampling, summarise

ONE_SYSTEM = "one system only: there is nothing to compare it with"
NONE_TESTED = "fewer than two systems that these labels test: there is nothing to compare"

PAIR_VALUES = 2**23
"""Differences of queries held at a time (float64: 64 MiB), so that pairs of systems share draws and flips."""

Comparisons = dict[str, dict[str, Any]]
"""comparison.json: ``{source: {"summary": sentences, "A - B": {measure: figures}}}``."""


def make_outputs(
    results: AllResults,
    ks: Sequence[int],
    resampling: Resampling,
    costs: Mapping[str, Cost],
    excluded: Mapping[str, Mapping[str, Any]],
    circular: Mapping[tuple[str, str], str],
    label: str = "",
) -> tuple[Figures, Comparisons, dict[str, pd.DataFrame], list[str]]:
    """Return metrics.json, comparison.json, the tables of the charts in plots/ by name, and what people are told.

    Args:
        results: ``{(system, source): results}``.
        ks: the cut-offs ``evaluate.k``.
        resampling: of intervals and comparisons.
        costs: of each system.
        excluded: what metrics.json says of the data that fine-tuned models have seen, by source.
        circular: why pairs ``(system, source)`` are circular (:mod:`text2image.formats.origins`): these are measured
            and marked, but nothing is claimed of them, and they are compared with nothing.
        label: what follows the names of series where figures are not of held-out data.
    """
    metrics: Figures = {}
    for (system, source), one in results.items():
        figures = summarise(one.ranked, reported(ks), resampling)
        why = circular.get((system, source), "")
        marked = {"circular": bool(why)} | ({"why_circular": why} if why else {})
        if kinds := by_kind(one, compared(ks), resampling):
            figures["kinds"] = kinds
        metrics.setdefault(system, {})[source] = dict(excluded[source]) | marked | figures
    comparison = compare_systems(results, compared(ks), headline(ks), resampling, circular)
    tables = chart_tables(results, resampling, circular, label) | {
        "intervals": interval_table(metrics, ks),
        "leaderboard": leaderboard(metrics, costs, comparison, headline(ks)),
    }
    return metrics, comparison, tables, list(_sentences(metrics, comparison, label))


def compare_systems(
    results: AllResults,
    measures: Sequence[Measure],
    headline: Measure,
    resampling: Resampling,
    circular: Collection[tuple[str, str]] = (),
) -> Comparisons:
    """Compare every pair of systems on every source.

    A source's comparisons by the headline measure are one family: they alone make claims, and Holm's correction is
    over them (``p_holm``). Other measures are shown with their own p-values and intervals, and claim nothing.

    Args:
        results: ``{(system, source): results}``.
        measures: those by which to compare.
        headline: that of ``measures`` which the sentences speak of.
        resampling: of the intervals.
        circular: the (system, source) pairs that take part in no comparison.

    Raises:
        ValueError: two systems answer different queries of a source.
    """
    table: Comparisons = {}
    for source in dict.fromkeys(source for _, source in results):
        asked = {system: one for (system, labels), one in results.items() if labels == source}
        tested = {system: one for system, one in asked.items() if (system, source) not in circular}
        row = _compare_family(tested, measures, headline, resampling)
        row["summary"] = row["summary"] or [ONE_SYSTEM if len(tested) == len(asked) else NONE_TESTED]
        table[source] = row
    return table


def _compare_family(
    systems: Mapping[str, Results], measures: Sequence[Measure], headline: Measure, resampling: Resampling
) -> dict[str, Any]:
    """Return what comparison.json says of one source."""
    asked = [one.queries["query_id"].tolist() for one in systems.values()]
    if any(queries != asked[0] for queries in asked):
        raise ValueError("expected all systems on the same queries, found others")
    pairs, others = list(combinations(systems, 2)), [one for one in measures if one != headline]
    claims = _compare_pairs(systems, pairs, [headline], resampling, family=len(pairs))
    shown = _compare_pairs(systems, pairs, others, resampling)
    adjusted = holm(np.array([one.p_value for one in claims])).tolist()
    row: dict[str, Any] = {"summary": []}
    for i, (names, claim, p) in enumerate(zip(pairs, claims, adjusted, strict=True)):
        figures = {headline: claim._asdict() | {"p_holm": p}}
        for measure, one in zip(others, shown[i * len(others) :], strict=False):
            figures[measure] = one._asdict()
            del figures[measure]["detectable"]
        row[" - ".join(names)] = {str(measure): figures[measure] for measure in measures}
        row["summary"].append(verdict(*names, headline, claim, p))
    return row


def _compare_pairs(
    systems: Mapping[str, Results],
    pairs: Sequence[tuple[str, str]],
    measures: Sequence[Measure],
    resampling: Resampling,
    *,
    family: int = 0,
) -> list[Comparison]:
    """Return a comparison for each pair and measure, pair after pair, several at once: they share draws and flips."""
    if not pairs or not measures:
        return []
    values = {system: per_query(one.ranked, measures).to_numpy() for system, one in systems.items()}
    comparisons: list[Comparison] = []
    step = max(1, PAIR_VALUES // values[pairs[0][0]].size)
    for start in range(0, len(pairs), step):
        some = pairs[start : start + step]
        first, second = (np.concatenate([values[pair[side]] for pair in some], axis=1) for side in (0, 1))
        clusters = systems[some[0][0]].ranked.clusters
        comparisons += compare(first, second, clusters, family=family, **resampling._asdict())
    return comparisons


def _sentences(metrics: Figures, comparison: Comparisons, label: str) -> Iterator[str]:
    for system, sources in metrics.items():
        for source, row in sources.items():
            if row["circular"]:
                yield f"{system} {source}{label}: circular, so its score says nothing: {row['why_circular']}"
                continue
            by_chance = f"chance {row['chance'][str(MRR)]:.3f}"
            yield f"{system} {source}{label}: MRR {row[str(MRR)]:.3f} ({by_chance}), {row['n_queries']} queries"
    for source, row in comparison.items():
        yield from (f"{source}{label}: {sentence}" for sentence in row["summary"])
