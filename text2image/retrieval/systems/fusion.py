"""Kind ``fusion``: the scores of other systems together, as a weighted sum of what each says of a query.

What a system says of an image is a number that can be added to other systems' numbers, by ``method``:

- ``scores``: its standardised score ``d |d|``, where ``d`` is the score less the mean of the query's scores over the whole
  gallery, in units of the system: how far the best image of a query is above that mean, as the root mean square over
  queries (:func:`measure_units`). So the best image of a query has about 1, more if the system is surer than
  usual, and one that is half as far from the mean a quarter of it;
- ``ranks``: ``1 / (60 + rank)``, reciprocal rank fusion (Cormack, Clarke and Büttcher, 2009), ranks by the one tie
  rule.

The unit is one of a system, not of a query: z-scores of each query by itself make the faint likeness of some word as loud
as a headline found whole, which disturbs systems that know better (docs/retrieval.md has the figures).

A system that scores all images equally for a query says nothing of it: 0 of every image. Sums are made in float64, in
the order of the systems, and rounded once to float32. Where one system has all the weight, its own scores stand, so
that its ranking stays as it is to the last tie.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from text2image.base.arrays import Floats, Vectors
from text2image.base.parallel import in_threads, thread_count
from text2image.retrieval.ranking import BLOCK_SCORES
from text2image.retrieval.scores import sort_keys
from text2image.retrieval.systems.scorer import Part, Scorer, Why

Method = Literal["scores", "ranks"]

RANK_CONSTANT = 60
"""k of reciprocal rank fusion, as in the paper, which found it to matter little."""

UNIT_QUERIES, UNIT_BLOCK = 1000, 50
"""Of more queries, units are measured on about so many, in blocks of neighbours from all over them."""


EXPLAINED = 64
"""The most queries whose scores are made at once where images are explained, query after query."""


class Weighting(NamedTuple):
    """How the systems of a fusion are weighted.

    Attributes:
        weights: ``(n_queries, n_systems)`` float64, not negative, no row all zero.
        units: ``(n_systems,)`` float64, positive: see :func:`measure_units`.
    """

    weights: Floats
    units: Floats


def standardised(scores: Vectors, unit: float) -> Floats:
    """Return ``d |d|`` of one query's images, ``d = (score - mean) / unit``; zeros if all scores are equal.

    It grows with the score: alone, it ranks as the score does.

    Args:
        scores: ``(n_images,)`` float32, finite.
        unit: of the system, positive.

    Returns:
        ``(n_images,)`` float64.
    """
    if scores.min() == scores.max():
        return np.zeros(len(scores))
    deviations = scores.astype(np.float64)
    deviations -= deviations.mean()
    deviations /= unit
    deviations *= np.abs(deviations)
    return deviations


def reciprocal_ranks(scores: Vectors, unit: float) -> Floats:
    """Return ``1 / (60 + rank)`` of one query's images, ties by the one rule; zeros if all scores are equal.

    Args:
        scores: ``(n_images,)`` float32, finite.
        unit: not needed.

    Returns:
        ``(n_images,)`` float64 in [0, 1/61].
    """
    if scores.min() == scores.max():
        return np.zeros(len(scores))
    best_first = np.argsort(sort_keys(scores, np.arange(len(scores))))[::-1]
    said = np.empty(len(scores))
    said[best_first] = 1.0 / (RANK_CONSTANT + np.arange(1, len(scores) + 1))
    return said


SAYS: dict[Method, Callable[[Vectors, float], Floats]] = {"scores": standardised, "ranks": reciprocal_ranks}
"""What a system says of the images, from its scores of one query and its unit, by method."""


def measure_units(parts: Sequence[Scorer], method: Method, threads: int | None = None) -> Floats:
    """Return the unit of each system's scores: ``sqrt(mean over queries of (best score - mean score)^2)``.

    No relevance is looked at, so nothing leaks through it. Of a system that says nothing of any query, and for ranks,
    which need none, it is 1.

    Args:
        parts: systems of the same queries and images.
        threads: None for one a core; changes no result.

    Returns:
        ``(n_systems,)`` float64.
    """
    n_queries, n_images = parts[0].n_queries, parts[0].n_images
    if method == "ranks" or n_queries == 0:
        return np.ones(len(parts))
    size = max(1, min(UNIT_BLOCK, BLOCK_SCORES // (thread_count(threads) * n_images)))
    stride = size * max(1, math.ceil(n_queries / UNIT_QUERIES))

    def squares(task: tuple[Scorer, int]) -> list[float]:
        part, start = task
        block = part.scores(slice(start, min(start + size, n_queries)))
        heights = [float(row.max()) - float(row.mean(dtype=np.float64)) for row in block]
        return [height * height for height in heights]

    units = []
    for part in parts:
        tasks = [(part, start) for start in range(0, n_queries, stride)]
        with threadpool_limits(1 if len(tasks) > 1 else None, "blas"):  # threads multiply alone
            found = [square for block in in_threads(squares, tasks, threads) for square in block]
        units.append(math.sqrt(math.fsum(found) / len(found)) or 1.0)
    return np.array(units)


def fuse(scores: Sequence[Vectors], said: Sequence[Floats], weights: Floats) -> Vectors:
    """Return the fused scores of one query.

    Args:
        scores: each system's, ``(n_images,)`` float32.
        said: what each says, ``(n_images,)`` float64, of :data:`SAYS`.
        weights: ``(n_systems,)`` float64, not negative, not all zero.

    Returns:
        ``(n_images,)`` float32: ``sum_i weights_i said_i``, or the scores of the only system that has a weight.
    """
    weighty = np.flatnonzero(weights)
    if len(weighty) == 1:
        return np.array(scores[weighty[0]])
    total = weights[weighty[0]] * said[weighty[0]]
    for system in weighty[1:]:
        total += weights[system] * said[system]
    return np.asarray(total, dtype=np.float32)


def same_weights(weights: Mapping[str, float], systems: Sequence[str], n_queries: int) -> Floats:
    """Return weights by system, a system without one has none, as those of every query, of sum 1.

    Returns:
        ``(n_queries, n_systems)`` float64.
    """
    row = np.array([weights.get(system, 0.0) for system in systems])
    return np.tile(row / row.sum(), (n_queries, 1))


def weighting_json(systems: Sequence[str], weights: Floats, units: Floats) -> dict[str, Any]:
    """Return what data/weights/SYSTEM/SOURCE.json says of any fusion: what is needed to search with it.

    Args:
        weights, units: ``(n_systems,)`` float64.
    """
    named = {
        "weights": dict(zip(systems, weights.tolist(), strict=True)),
        "units": dict(zip(systems, units.tolist(), strict=True)),
    }
    return {"systems": list(systems), **named}


def read_weighting(figures: Mapping[str, Any], systems: Sequence[str], n_queries: int) -> Weighting:
    """Return the weighting that :func:`weighting_json` describes, the same for each of some queries."""
    weights, units = (np.array([figures[key][system] for system in systems]) for key in ("weights", "units"))
    return Weighting(np.tile(weights, (n_queries, 1)), units)


class Fusion:
    """A :class:`.scorer.Scorer` of other ones.

    Args:
        systems: their names, by which their shares are explained.
        parts: the systems, of the same queries and images.
        weighting: weights of each query, and units.
        method: how scores become what can be added.

    Raises:
        ValueError: shapes differ, or weights are negative or all zero.
    """

    def __init__(
        self, systems: Sequence[str], parts: Sequence[Scorer], weighting: Weighting, method: Method = "scores"
    ) -> None:
        weights, units = weighting
        self.n_queries, self.n_images = parts[0].n_queries, parts[0].n_images
        shapes = {(part.n_queries, part.n_images) for part in parts}
        if len(shapes) > 1 or weights.shape != (self.n_queries, len(parts)) or len(systems) != len(parts):
            raise ValueError(
                f"expected systems of the same queries and images and a weight of each for each query, "
                f"found {len(systems)} names, (queries, images) {sorted(shapes)} and weights {weights.shape}"
            )
        if not (np.isfinite(weights).all() and (weights >= 0).all() and (weights.sum(axis=1) > 0).all()):
            raise ValueError("expected weights of at least 0, one of them positive, for every query")
        self._systems, self._parts, self._says = systems, parts, SAYS[method]
        self._weights, self._units = weights, units.tolist()
        self._near: tuple[int, list[Vectors]] = (-1, [])

    def scores(self, queries: slice) -> Vectors:
        """Return ``(n, n_images)`` float32: see :func:`fuse`."""
        rows, given = range(self.n_queries)[queries], self._given(queries)
        fused = np.empty((len(rows), self.n_images), dtype=np.float32)
        for place, query in enumerate(rows):
            of_query, weights = [scores[place] for scores in given], self._weights[query]
            several = np.count_nonzero(weights) > 1
            said = [self._says(*one) for one in zip(of_query, self._units, strict=True)] if several else []
            fused[place] = fuse(of_query, said, weights)
        return fused

    def _given(self, queries: slice) -> list[Vectors]:
        """Return the scores of each system, zeros of one that has no weight for any of these queries."""
        weights = self._weights[queries]
        nothing = np.broadcast_to(np.float32(0.0), (len(weights), self.n_images))
        return [
            part.scores(queries) if of_part.any() else nothing
            for part, of_part in zip(self._parts, weights.T, strict=True)
        ]

    def _given_to(self, query: int) -> list[Vectors]:
        """Return the scores of each system for one query, which are made for its neighbours, too, and kept for them.

        One query alone would cost each system a pass over its whole gallery.
        """
        size = max(1, min(EXPLAINED, BLOCK_SCORES // (len(self._parts) * self.n_images)))
        start, near = query - query % size, self._near
        if near[0] != start:
            self._near = near = start, self._given(slice(start, min(start + size, self.n_queries)))
        return [scores[query - start] for scores in near[1]]

    def explain(self, query: int, columns: Sequence[int]) -> list[Why]:
        """Return the share of each system in each image's score, of which the score is the sum, and what they say.

        Matches of all systems with a weight stand one after the other; view, grade and reason are those of the first
        system that has one.
        """
        weights, places = self._weights[query], list(columns)
        alone = np.count_nonzero(weights) == 1
        shares, reasons = [], []
        parts = zip(self._parts, weights, self._units, self._given_to(query), strict=True)
        for part, weight, unit, scores in parts:
            if not weight:
                shares.append([0.0] * len(places))
                continue
            said = scores if alone else weight * self._says(scores, unit)
            shares.append(said[places].tolist())
            reasons.append(part.explain(query, places))
        return [
            _joined([Part(*share) for share in zip(self._systems, of_image, strict=True)], whys)
            for of_image, whys in zip(zip(*shares, strict=True), zip(*reasons, strict=True), strict=True)
        ]


def _joined(shares: Sequence[Part], whys: Sequence[Why]) -> Why:
    """Return the shares of an image's score with what the systems themselves say of it."""
    first = {
        name: next(filter(None, (getattr(why, name) for why in whys)), "")
        for name in ("view", "grade", "reason")
    }
    matches = dict.fromkeys(match for why in whys for match in why.matches)
    return Why(matches=tuple(matches), parts=tuple(shares), **first)
