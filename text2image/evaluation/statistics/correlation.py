"""Do two label sources order the systems alike? Kendall's tau of the orders, with its interval.

Each source asks its own questions, and another source can have another winner: the order that one finds is worth as
much as its agreement with the others. Circular pairs take no part.

Sources: Kendall, A New Measure of Rank Correlation, 1938 (tau-b, 1945, for ties); Voorhees, Variations in Relevance
Judgments and the Measurement of Retrieval Effectiveness, 2000 (for orders of systems).
"""

import zlib
from collections.abc import Mapping
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import kendalltau

from text2image.base.arrays import Floats
from text2image.evaluation.measures import MRR
from text2image.evaluation.results import AllResults, Results
from text2image.evaluation.statistics.intervals import BLOCK_DRAWS, LEVEL, MIN_CLUSTERS, cluster_weights
from text2image.evaluation.summary import Resampling
from text2image.queries.clusters import UNIT, cluster_sums


class Orders(NamedTuple):
    """The MRR of the same systems by one source.

    Attributes:
        values: ``(n_systems,)`` float64.
        resampled: ``(resamples, n_systems)`` float64, over clusters drawn with replacement.
        n_clusters: how many there are.
    """

    values: Floats
    resampled: Floats
    n_clusters: int


def rank_correlations(results: AllResults, resampling: Resampling) -> dict[str, dict[str, Any]]:
    """Return for each pair of sources how alike they order the systems by MRR: ``{"A ~ B": figures}``.

    The figures are ``n_models``, ``tau`` in [-1, 1] (None where all systems tie on one of the sources), the ends
    ``tau_low`` and ``tau_high`` of its 95 % interval (None for fewer than ``MIN_CLUSTERS`` independent groups of
    queries), and ``summary``, a sentence. Pairs that have fewer than two systems in common are left out.

    Args:
        results: of the pairs ``(model, source)`` that are no circular ones.
        resampling: of the interval.
    """
    by_source: dict[str, dict[str, Results]] = {}
    for (model, source), one in results.items():
        by_source.setdefault(source, {})[model] = one
    correlations = {}
    for first, second in combinations(by_source, 2):
        models = sorted(by_source[first].keys() & by_source[second].keys())
        if len(models) > 1:
            orders = {
                source: orders_of(source, by_source[source], models, resampling) for source in (first, second)
            }
            correlations[f"{first} ~ {second}"] = _correlate(models, orders)
    return correlations


def orders_of(
    source: str, results: Mapping[str, Results], models: list[str], resampling: Resampling
) -> Orders:
    """Return the order of ``models`` by one source, whose clusters of queries are drawn whole, for all systems alike.

    Each source has draws of its own; neither the order of queries nor the labels of clusters matter.
    """
    values = np.stack([MRR.per_query(results[model].ranked) for model in models], axis=1)
    sums, counts = cluster_sums(values, results[models[0]].ranked.clusters)
    columns = np.column_stack([sums, counts])
    columns = columns[np.lexsort(columns.T)]
    seed = (resampling.seed + zlib.crc32(source.encode())) % 2**32
    blocks = cluster_weights(len(columns), resampling.resamples, seed, BLOCK_DRAWS)
    totals = np.concatenate([weights @ columns for weights in blocks])
    whole = columns.sum(axis=0)
    values, resampled = whole[:-1] / whole[-1], totals[:, :-1] / totals[:, -1:]
    return Orders(values * UNIT, resampled * UNIT, len(columns))


def tau_interval(first: Orders, second: Orders) -> tuple[float, float] | None:
    """Return the 95 % percentile interval of tau-b; None for fewer than ``MIN_CLUSTERS`` clusters in either.

    A resample in which all systems tie on a source says nothing of the order, and counts as 0.
    """
    if min(first.n_clusters, second.n_clusters) < MIN_CLUSTERS:
        return None
    taus = np.sort(np.nan_to_num(kendalltau(first.resampled, second.resampled, axis=1).statistic))
    tail = round((1.0 - LEVEL) / 2.0 * len(taus))
    return float(taus[tail]), float(taus[len(taus) - 1 - tail])


def _correlate(models: list[str], orders: Mapping[str, Orders]) -> dict[str, Any]:
    first, second = orders.values()
    tau = float(kendalltau(first.values, second.values).statistic)
    interval = None if np.isnan(tau) else tau_interval(first, second)
    low, high = interval or (None, None)
    best = {source: models[int(np.argmax(one.values))] for source, one in orders.items()}
    return {
        "n_models": len(models),
        "tau": None if np.isnan(tau) else tau,
        "tau_low": low,
        "tau_high": high,
        "summary": _sentence(len(models), tau, interval, best),
    }


def _sentence(n: int, tau: float, interval: tuple[float, float] | None, best: Mapping[str, str]) -> str:
    names = " and ".join(best)
    if np.isnan(tau):
        return (
            f"whether {names} order the {n} models alike cannot be said: all models are equal on one of them"
        )
    figures = f"Kendall's tau {tau:.2f}"
    if interval is None:
        said = (
            f"whether {names} order the {n} models alike cannot be told from fewer than {MIN_CLUSTERS} independent "
            f"groups of queries ({figures})"
        )
    else:
        figures += f" [{interval[0]:.2f}, {interval[1]:.2f}]"
        if interval[0] > 0.0:
            said = f"{names} order the {n} models alike: {figures}"
        elif interval[1] < 0.0:
            said = f"{names} order the {n} models in opposite ways: {figures}"
        else:
            said = f"whether {names} order the {n} models alike cannot be told: {figures}"
    winners = " and ".join(f"{model} by {source}" for source, model in best.items())
    return said if len(set(best.values())) == 1 else f"{said}; the best is {winners}"
