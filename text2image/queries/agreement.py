"""How far two judges agree on grades of relevance, and how much of a result has been judged."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

Booleans = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

GRADES = 4
"""Relevance is graded 0 (not relevant) to 3."""

Weights = Literal["none", "linear", "quadratic"]
POWERS: dict[Weights, int] = {"none": 0, "linear": 1, "quadratic": 2}


def cohen_kappa(
    first: Integers, second: Integers, weights: Weights = "none", n_grades: int = GRADES
) -> float | None:
    """Return Cohen's kappa of two judges who graded the same items.

    ``kappa = 1 - sum(w O) / sum(w E)`` over pairs of grades (i, j), where O is the share of items that
    got i from the first judge and j from the second, E the product of how often each gives i and j, and
    w how much the disagreement weighs: 1 off the diagonal (``none``), ``|i - j|`` (``linear``) or
    ``(i - j)^2`` (``quadratic``). 1 is full agreement, 0 what chance gives, below 0 is worse.

    Sources: Cohen, A Coefficient of Agreement for Nominal Scales, 1960; Cohen, Weighted Kappa, 1968.

    Args:
        first, second: ``(n_items,)`` int64 in [0, n_grades).
        weights: ``none``, ``linear`` or ``quadratic``.
        n_grades: how many grades there are.

    Returns:
        A number in [-1, 1]; None where it is not defined: no items, or both judges gave one and the
        same grade throughout.

    Raises:
        ValueError: lengths that differ, grades out of range, or an unknown weighting.
    """
    if len(first) != len(second):
        raise ValueError(f"expected two grades for each item, found {len(first)} and {len(second)} grades")
    if weights not in POWERS:
        raise ValueError(f"expected weights to be one of {', '.join(POWERS)}, found {weights!r}")
    grades = np.concatenate([first, second])
    if len(grades) == 0:
        return None
    if grades.min() < 0 or grades.max() >= n_grades:
        raise ValueError(f"expected grades 0 … {n_grades - 1}, found {grades.min()} … {grades.max()}")
    table = np.bincount(first * n_grades + second, minlength=n_grades**2).reshape(n_grades, n_grades)
    chance = np.outer(table.sum(axis=1), table.sum(axis=0))
    distance = np.abs(np.subtract.outer(np.arange(n_grades), np.arange(n_grades)))
    weight = np.where(distance > 0, distance ** POWERS[weights], 0)
    expected = int(np.sum(weight * chance))
    return 1.0 - int(np.sum(weight * table)) * len(first) / expected if expected else None


def judged(judgements: Booleans, k: int) -> Floats:
    """Return judged@k of each query: the share of its first k results that anyone has judged.

    Holes in the judgements count as not relevant; a low share says that a score is a lower bound.
    A gallery smaller than k is counted whole.

    Source: Buckley and Voorhees, Retrieval Evaluation with Incomplete Information, 2004.

    Args:
        judgements: ``(n_queries, depth)`` bool, whether the result at each rank has a judgement.
        k: at least 1.

    Returns:
        ``(n_queries,)`` float64 in [0, 1].

    Raises:
        ValueError: k below 1, or no results.
    """
    if k < 1 or judgements.shape[1] == 0:
        raise ValueError(f"expected k ≥ 1 and at least one result a query, found {k}, {judgements.shape[1]}")
    share: Floats = judgements[:, :k].mean(axis=1, dtype=np.float64)
    return share
