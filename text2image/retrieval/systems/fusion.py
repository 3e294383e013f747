"""Kind ``fusion``: the scores of other systems together, as a weighted sum of what each says of a query.

What a system says of an image is a number that can be added to other systems' numbers, by ``method``:

- ``zscores``: its score less the mean of the query's scores over the whole gallery, over their standard deviation;
- ``ranks``: ``1 / (60 + rank)``, reciprocal rank fusion (Cormack, Clarke and Büttcher, 2009), ranks by the one tie
  rule.

A system that scores all images equally for a query says nothing of it: 0 of every image. Sums are made in float64, in
the order of the systems, and rounded once to float32. Where one system has all the weight, its own scores stand, so
that its ranking stays as it is to the last tie.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import numpy as np

from text2image.base.arrays import Floats, Vectors
from text2image.retrieval.scores import sort_keys
from text2image.retrieval.systems.scorer import Part, Scorer, Why

Method = Literal["zscores", "ranks"]

RANK_CONSTANT = 60
"""k of reciprocal rank fusion, as in the paper, which found it to matter little."""


def standardised(scores: Vectors) -> Floats:
    """Return the z-scores of one query: ``(s - mean) / sd`` over the whole gallery, sd by n; zeros if all are equal.

    Args:
        scores: ``(n_images,)`` float32, finite.

    Returns:
        ``(n_images,)`` float64 of mean 0 and standard deviation 1.
    """
    if scores.min() == scores.max():
        return np.zeros(len(scores))
    deviations = scores.astype(np.float64)
    deviations -= deviations.mean()
    deviations /= np.sqrt(np.square(deviations).mean())
    return deviations


def reciprocal_ranks(scores: Vectors) -> Floats:
    """Return ``1 / (60 + rank)`` of one query's images, ties by the one rule; zeros if all scores are equal.

    Args:
        scores: ``(n_images,)`` float32, finite.

    Returns:
        ``(n_images,)`` float64 in [0, 1/61].
    """
    if scores.min() == scores.max():
        return np.zeros(len(scores))
    best_first = np.argsort(sort_keys(scores, np.arange(len(scores))))[::-1]
    said = np.empty(len(scores))
    said[best_first] = 1.0 / (RANK_CONSTANT + np.arange(1, len(scores) + 1))
    return said


SAYS: dict[Method, Callable[[Vectors], Floats]] = {"zscores": standardised, "ranks": reciprocal_ranks}
"""What a system says of the images, from its scores of one query, by method."""


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


class Fusion:
    """A :class:`.scorer.Scorer` of other ones.

    Args:
        systems: their names, by which their shares are explained.
        parts: the systems, of the same queries and images.
        weights: ``(n_queries, n_systems)`` float64, not negative, no row all zero.
        method: how scores become what can be added.

    Raises:
        ValueError: shapes differ, or weights are negative or all zero.
    """

    def __init__(
        self, systems: Sequence[str], parts: Sequence[Scorer], weights: Floats, method: Method = "zscores"
    ) -> None:
        self.n_queries, self.n_images = parts[0].n_queries, parts[0].n_images
        shapes = {(part.n_queries, part.n_images) for part in parts}
        if len(shapes) > 1 or weights.shape != (self.n_queries, len(parts)) or len(systems) != len(parts):
            raise ValueError(
                f"expected systems of the same queries and images and a weight of each for each query, "
                f"found {len(systems)} names, (queries, images) {sorted(shapes)} and weights {weights.shape}"
            )
        if not (np.isfinite(weights).all() and (weights >= 0).all() and (weights.sum(axis=1) > 0).all()):
            raise ValueError("expected weights of at least 0, one of them positive, for every query")
        self._systems, self._parts, self._weights, self._says = systems, parts, weights, SAYS[method]

    def scores(self, queries: slice) -> Vectors:
        """Return ``(n, n_images)`` float32: see :func:`fuse`."""
        rows = range(self.n_queries)[queries]
        nothing = np.broadcast_to(np.float32(0.0), (len(rows), self.n_images))
        given = [
            part.scores(queries) if weights.any() else nothing
            for part, weights in zip(self._parts, self._weights[queries].T, strict=True)
        ]
        fused = np.empty((len(rows), self.n_images), dtype=np.float32)
        for place, query in enumerate(rows):
            of_query, weights = [scores[place] for scores in given], self._weights[query]
            several = np.count_nonzero(weights) > 1
            said = [self._says(one) for one in of_query] if several else []
            fused[place] = fuse(of_query, said, weights)
        return fused

    def explain(self, query: int, columns: Sequence[int]) -> list[Why]:
        """Return the share of each system in each image's score, of which the score is the sum, and what they say.

        Matches of all systems with a weight stand one after the other; view, grade and reason are those of the first
        system that has one.
        """
        weights, places = self._weights[query], list(columns)
        parts = [part if weight else None for part, weight in zip(self._parts, weights, strict=True)]
        alone = np.count_nonzero(weights) == 1
        shares, reasons = [], []
        for part, weight in zip(parts, weights, strict=True):
            if part is None:
                shares.append([0.0] * len(places))
                continue
            scores = part.scores(slice(query, query + 1))[0]
            said = scores if alone else weight * self._says(scores)
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
