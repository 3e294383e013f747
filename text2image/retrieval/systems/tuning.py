"""The weights of a fusion, chosen so that no query is scored with weights that saw it.

Cross-fitting: clusters of queries (:func:`text2image.queries.clusters.query_clusters`: those that share
near-duplicates) are divided into :data:`FOLDS` folds; the queries of a fold are scored with the weights that are best
on all other folds. So every query counts, none needs a validation part, and what is measured is what weights are worth
on queries that they were not chosen by. The weights that are best on all queries are for searching.

Weights are best by the MRR of the best relevant image over the whole gallery, among the points of a grid:
all weights in steps of 1/20 for two systems, in the finest steps of which there are at most :data:`POINTS` for more, and
equal weights. Of equally good ones the most balanced is taken (the smallest sum of squares), then that with more weight
on the systems named first.
"""

import hashlib
import math
from collections.abc import Sequence
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from text2image.base.arrays import Floats, Integers, Vectors
from text2image.base.parallel import in_threads, thread_count
from text2image.retrieval.ranking import BLOCK_SCORES, count_before
from text2image.retrieval.systems.fusion import SAYS, Method, Weighting, fuse, measure_units, weighting_json
from text2image.retrieval.systems.scorer import Scorer

FOLDS = 5
CLUSTERS_A_FOLD = 2
"""With fewer clusters than this a fold, nothing is chosen: all weights are equal."""
STEPS = (20, 10, 5, 4, 3, 2, 1)
POINTS = 100
IMAGES = 32768
"""Of so many images at a time the scores of all points are made: they stay in the processor's cache."""
OBJECTIVE = "mrr"


class CurvePoint(NamedTuple):
    """The best MRR on all queries of weights that give ``part`` this weight, and whether the chosen ones do."""

    part: str
    weight: float
    mrr: float
    chosen: bool


class Tuning(NamedTuple):
    """What was chosen, and how good it is.

    Attributes:
        systems: names.
        weights: ``(n_systems,)`` float64 of sum 1, best on all queries.
        units: ``(n_systems,)`` float64, of the systems' scores.
        of_queries: ``(n_queries, n_systems)`` float64, what each query is scored with.
        folds: ``(n_queries,)`` int64, the fold of each query; all 0 if nothing was chosen.
        of_folds: ``(n_folds, n_systems)`` float64, what the queries of each fold are scored with.
        curve: quality against weight on all queries: of the second of two systems, of each of more.
        in_sample: MRR of ``weights`` on the queries that they were chosen by.
        cross_fitted: MRR of ``of_queries``.
        why_equal: why nothing was chosen; "" if it was.
    """

    systems: tuple[str, ...]
    weights: Floats
    units: Floats
    of_queries: Floats
    folds: Integers
    of_folds: Floats
    curve: tuple[CurvePoint, ...]
    in_sample: float
    cross_fitted: float
    why_equal: str

    def weighting(self) -> Weighting:
        """Return what the queries are scored with."""
        return Weighting(self.of_queries, self.units)

    def as_json(self, clusters: Integers) -> dict[str, Any]:
        """Return what data/weights/SYSTEM/SOURCE.json says; ``clusters`` are the queries', ``(n_queries,)``."""

        def named(weights: Floats) -> dict[str, float]:
            return dict(zip(self.systems, weights.tolist(), strict=True))

        folds = [
            {
                "n_queries": int(np.count_nonzero(self.folds == fold)),
                "n_clusters": len(np.unique(clusters[self.folds == fold])),
                "weights": named(weights),
            }
            for fold, weights in enumerate(self.of_folds)
        ]
        ends = zip(self.systems, self.of_folds.min(axis=0), self.of_folds.max(axis=0), strict=True)
        return {
            **weighting_json(self.systems, self.weights, self.units),
            "objective": OBJECTIVE,
            "why_equal": self.why_equal,
            "n_queries": len(self.folds),
            "n_clusters": len(np.unique(clusters)),
            "folds": folds,
            "spread": {system: {"min": float(low), "max": float(high)} for system, low, high in ends},
            "mrr": {"cross_fitted": self.cross_fitted, "in_sample": self.in_sample},
            "curve": [point._asdict() for point in self.curve],
        }


def grid(n_systems: int) -> Floats:
    """Return the weights that are tried: ``(n_points, n_systems)`` float64, rows of sum 1, the preferred first.

    Example:
        >>> grid(2)[:3].tolist()
        [[0.5, 0.5], [0.55, 0.45], [0.45, 0.55]]
        >>> [len(grid(n)) for n in range(1, 8)]
        [1, 21, 67, 57, 71, 57, 85]
    """
    steps = next(n for n in STEPS if math.comb(n + n_systems - 1, n) <= POINTS or n == 1)
    ends = combinations(range(steps + n_systems - 1), n_systems - 1)
    counts = [np.diff([-1, *bars, steps + n_systems - 1]) - 1 for bars in ends]
    points = {tuple((count / steps).tolist()) for count in counts} | {(1 / n_systems,) * n_systems}
    preferred = sorted(points, key=lambda point: (round(sum(w * w for w in point), 9), [-w for w in point]))
    return np.array(preferred)


def make_folds(query_ids: Sequence[str], clusters: Integers) -> Integers:
    """Return the fold of each query in [0, FOLDS): whole clusters, folds of about as many queries.

    The largest clusters first, equal ones by the hash of their smallest query id, each goes to the fold that has the
    fewest queries: neither the order of the queries nor the numbers of the clusters matter.

    Args:
        query_ids: ``n_queries`` distinct ids.
        clusters: ``(n_queries,)`` int64.
    """
    members: dict[int, list[int]] = {}
    for query, cluster in enumerate(clusters.tolist()):
        members.setdefault(cluster, []).append(query)

    def order(queries: list[int]) -> tuple[int, str]:
        first = min(query_ids[query] for query in queries)
        return -len(queries), hashlib.sha256(first.encode()).hexdigest()

    folds, sizes = np.empty(len(query_ids), dtype=np.int64), [0] * FOLDS
    for queries in sorted(members.values(), key=order):
        fold = sizes.index(min(sizes))
        folds[queries] = fold
        sizes[fold] += len(queries)
    return folds


def tune(
    systems: Sequence[str],
    parts: Sequence[Scorer],
    query_ids: Sequence[str],
    rows: Integers,
    columns: Integers,
    clusters: Integers,
    *,
    method: Method = "scores",
    threads: int | None = None,
) -> Tuning:
    """Choose the weights of a fusion for some queries.

    Args:
        systems, parts: the fusion's, by name; of the same queries and images.
        query_ids: of the queries, distinct.
        rows, columns: ``(n_pairs,)`` int64, the relevant images, ``rows`` in increasing order; every query has one.
        clusters: ``(n_queries,)`` int64, queries of one number are not independent.
        method: of the fusion.
        threads: None for one a core; changes no result.

    Raises:
        ValueError: a query has no relevant image, or lengths differ.
    """
    points, units = grid(len(systems)), measure_units(parts, method, threads)
    quality = reciprocal_ranks_at(points, parts, units, rows, columns, method=method, threads=threads)
    best, folds, of_folds, why_equal = _choose(quality, query_ids, clusters)
    of_queries = of_folds[folds]
    return Tuning(
        systems=tuple(systems),
        weights=points[best],
        units=units,
        of_queries=points[of_queries],
        folds=folds,
        of_folds=points[of_folds],
        curve=_curve(systems, points, quality, best),
        in_sample=_mean(quality[:, best]),
        cross_fitted=_mean(quality[np.arange(len(quality)), of_queries]),
        why_equal=why_equal,
    )


def _choose(
    quality: Floats, query_ids: Sequence[str], clusters: Integers
) -> tuple[int, Integers, Integers, str]:
    """Return the best point of all queries, each query's fold, the point of each fold, and why nothing was chosen."""
    if not len(quality) == len(query_ids) == len(clusters):
        raise ValueError(
            f"expected an id and a cluster for each of {len(quality)} queries, found {len(query_ids)} ids "
            f"and {len(clusters)} clusters"
        )
    n_clusters, needed = len(np.unique(clusters)), FOLDS * CLUSTERS_A_FOLD
    if n_clusters < needed:  # the point that is preferred to all others: equal weights
        why = f"weights are tuned on at least {needed} independent groups of queries, and there are {n_clusters}"
        return (
            0,
            np.zeros(len(query_ids), dtype=np.int64),
            np.zeros(1, dtype=np.int64),
            f"equal weights, as {why}",
        )
    folds = make_folds(query_ids, clusters)
    of_folds = np.array([_best_point(quality[folds != fold]) for fold in range(FOLDS)])
    return _best_point(quality), folds, of_folds, ""


def reciprocal_ranks_at(
    points: Floats,
    parts: Sequence[Scorer],
    units: Floats,
    rows: Integers,
    columns: Integers,
    *,
    method: Method = "scores",
    threads: int | None = None,
) -> Floats:
    """Return the reciprocal rank of each query's best relevant image, over the whole gallery, at each point.

    The scores of a block of queries are held at a time, and those of each query are made once.

    Args:
        points: ``(n_points, n_systems)`` float64, weights.
        units: ``(n_systems,)`` float64, of the systems' scores.
        parts, rows, columns, method, threads: as in :func:`tune`.

    Returns:
        ``(n_queries, n_points)`` float64 in (0, 1].

    Raises:
        ValueError: a query has no relevant image.
    """
    n_queries, n_images = parts[0].n_queries, parts[0].n_images
    ends = np.searchsorted(rows, np.arange(n_queries + 1))
    if not np.diff(ends).all():
        raise ValueError("expected a relevant image of every query, found none of some")
    count = thread_count(threads)
    step = max(1, min(BLOCK_SCORES // (count * len(parts) * n_images), -(-n_queries // count)))

    def of_block(start: int) -> Floats:
        block = slice(start, min(start + step, n_queries))
        relevant = [columns[ends[query] : ends[query + 1]] for query in range(block.start, block.stop)]
        return _block_quality([part.scores(block) for part in parts], units, relevant, points, method)

    with threadpool_limits(1 if step < n_queries else None, "blas"):  # threads multiply alone
        blocks = list(in_threads(of_block, range(0, n_queries, step), count))
    return np.concatenate(blocks) if blocks else np.empty((0, len(points)))


def _block_quality(
    given: Sequence[Vectors],
    units: Floats,
    relevant: Sequence[Integers],
    points: Floats,
    method: Method,
) -> Floats:
    """Return the reciprocal ranks of some queries, from each system's scores of them and the relevant images."""
    quality = np.empty((len(relevant), len(points)))
    for query, columns in enumerate(relevant):
        scores = [one[query] for one in given]
        said = [SAYS[method](*one) for one in zip(scores, units.tolist(), strict=True)]
        quality[query] = 1.0 / _best_ranks(scores, said, columns, points)
    return quality


def _best_ranks(
    scores: Sequence[Vectors], said: Sequence[Floats], relevant: Integers, points: Floats
) -> Integers:
    """Return the rank of the best of the ``relevant`` images at each point: ``(n_points,)`` int64."""

    def fused(images: slice | Integers, point: Floats) -> Vectors:
        return fuse([one[images] for one in scores], [one[images] for one in said], point)

    own = [fused(relevant, point) for point in points]
    best = [(of_point.max(), int(relevant[of_point == of_point.max()].min())) for of_point in own]
    found = np.ones(len(points), dtype=np.int64)
    for start in range(0, len(scores[0]), IMAGES):
        images = slice(start, start + IMAGES)
        found += [
            count_before(fused(images, point), start, *of) for point, of in zip(points, best, strict=True)
        ]
    return found


def _mean(values: Floats) -> float:
    """Return the mean, the same in whatever order the values stand."""
    return math.fsum(values.tolist()) / len(values) if len(values) else 0.0


def _best_point(quality: Floats) -> int:
    """Return the first of the best points of some queries."""
    return int(np.argmax([_mean(column) for column in quality.T]))


def _curve(systems: Sequence[str], points: Floats, quality: Floats, best: int) -> tuple[CurvePoint, ...]:
    """Return the best MRR at each weight of a system: of the second of two, of each of more."""
    means = np.array([_mean(column) for column in quality.T])
    shown = range(len(systems)) if len(systems) != 2 else (1,)
    return tuple(
        CurvePoint(
            systems[part],
            float(weight),
            float(means[points[:, part] == weight].max()),
            bool(points[best, part] == weight),
        )
        for part in shown
        for weight in np.unique(points[:, part])
    )
