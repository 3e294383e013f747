"""Measures, intervals and one paired comparison of 100,000 queries: seconds and peak memory.

Run as ``python -m benchmarks.intervals``. Must take at most 20 s and 2 GB on 2 cores. The reference is
the plain way to write a bootstrap, in the same run: a loop that draws queries by index, one measure,
few resamples, scaled to as many measures and resamples as the intervals have.
"""

import resource
import sys
import time

import numpy as np

from text2image.evaluation.measures import per_query, reported
from text2image.evaluation.ranked import RankedQueries
from text2image.evaluation.statistics.comparison import compare
from text2image.evaluation.statistics.intervals import cluster_intervals
from text2image.queries.clusters import query_clusters

N_QUERIES, N_IMAGES, KS, RESAMPLES = 100_000, 100_000, (1, 5, 10, 20), 2000
REFERENCE_RESAMPLES = 50
MAX_SECONDS, MAX_MIB = 20.0, 2048.0


def ranked_queries(
    generator: np.random.Generator, n_relevant: np.ndarray, clusters: np.ndarray
) -> RankedQueries:
    """Return distinct log-normal ranks of one or more relevant images a query."""
    first = 1 + np.exp(generator.normal(2.0, 2.5, len(n_relevant)).clip(max=11.0)).astype(np.int64)
    position = np.arange(n_relevant.sum()) - np.repeat(np.cumsum(n_relevant) - n_relevant, n_relevant)
    ranks = np.repeat(first, n_relevant) + 7 * position
    return RankedQueries(ranks, np.ones_like(ranks), n_relevant, N_IMAGES, clusters)


def reference(values: np.ndarray, generator: np.random.Generator) -> float:
    """Return the seconds of a loop that resamples queries, scaled to all resamples."""
    start = time.perf_counter()
    for _ in range(REFERENCE_RESAMPLES):
        values[generator.integers(0, len(values), len(values))].mean()
    return (time.perf_counter() - start) * RESAMPLES / REFERENCE_RESAMPLES


def main() -> None:
    generator = np.random.default_rng(0)
    n_relevant = generator.integers(1, 4, N_QUERIES)
    pairs = np.repeat(np.arange(N_QUERIES), n_relevant)
    groups = pairs // 2  # shared by two queries
    laps = [time.perf_counter()]
    clusters = query_clusters(pairs, groups, N_QUERIES)
    laps.append(time.perf_counter())
    models = [ranked_queries(generator, n_relevant, clusters) for _ in range(2)]
    tables = [per_query(queries, reported(KS)).to_numpy() for queries in models]
    laps.append(time.perf_counter())
    cluster_intervals(tables[0], clusters, resamples=RESAMPLES, seed=0)
    laps.append(time.perf_counter())
    compare(tables[0], tables[1], clusters, resamples=RESAMPLES, seed=0)
    laps.append(time.perf_counter())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    n_measures = tables[0].shape[1]
    plain = reference(tables[0][:, 0].copy(), generator) * n_measures
    print(f"{N_QUERIES} queries, {clusters.max() + 1} clusters, {n_measures} measures, {RESAMPLES} resamples")
    for name, seconds in zip(("clusters", "measures", "intervals", "comparison"), np.diff(laps), strict=True):
        print(f"{name:<12}{seconds:6.2f} s")
    total = laps[-1] - laps[0]
    print(f"{'total':<12}{total:6.2f} s (at most {MAX_SECONDS:g}), peak {peak:.0f} MiB (at most {MAX_MIB:g})")
    print(
        f"{'reference':<12}{plain:6.2f} s for plain intervals, {plain / (laps[3] - laps[2]):.2f} times ours"
    )
    if total > MAX_SECONDS or peak > MAX_MIB:
        sys.exit("too slow or too large")


if __name__ == "__main__":
    main()
