"""How far two judges agree on grades of relevance."""

from collections.abc import Iterable
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from text2image.formats.texts import query_id
from text2image.queries.judgements import JudgementRow, is_person

Integers = npt.NDArray[np.int64]

GRADES = 4
"""Relevance is graded 0 (not relevant) to 3."""

Weights = Literal["none", "linear", "quadratic"]
POWERS: dict[Weights, int] = {"none": 0, "linear": 1, "quadratic": 2}


def judge_agreement(source: str, rows: Iterable[JudgementRow]) -> dict[str, Any]:
    """Return how many pairs people and models both judged in one source, and their weighted kappa."""
    by_people: dict[tuple[str, str], int] = {}
    by_models: dict[tuple[str, str], int] = {}
    for row in rows:
        if row.source == source:
            judged_by = by_people if is_person(row.by) else by_models
            judged_by[query_id(row.query), row.image_id] = row.relevance
    both = sorted(by_people.keys() & by_models.keys())
    people = np.array([by_people[pair] for pair in both], dtype=np.int64)
    models = np.array([by_models[pair] for pair in both], dtype=np.int64)
    return {
        "by_people": len(by_people),
        "by_models": len(by_models),
        "by_both": len(both),
        "kappa_quadratic": cohen_kappa(people, models, "quadratic"),
    }


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
    _check(first, second, weights, n_grades)
    table = np.bincount(first * n_grades + second, minlength=n_grades**2).reshape(n_grades, n_grades)
    chance = np.outer(table.sum(axis=1), table.sum(axis=0))
    distance = np.abs(np.subtract.outer(np.arange(n_grades), np.arange(n_grades)))
    weight = np.where(distance > 0, distance ** POWERS[weights], 0)
    expected = int(np.sum(weight * chance))
    return 1.0 - int(np.sum(weight * table)) * len(first) / expected if expected else None


def _check(first: Integers, second: Integers, weights: Weights, n_grades: int) -> None:
    if len(first) != len(second):
        raise ValueError(f"expected two grades for each item, found {len(first)} and {len(second)} grades")
    if weights not in POWERS:
        raise ValueError(f"expected weights to be one of {', '.join(POWERS)}, found {weights!r}")
    grades = np.concatenate([first, second])
    if len(grades) and (grades.min() < 0 or grades.max() >= n_grades):
        raise ValueError(f"expected grades 0 … {n_grades - 1}, found {grades.min()} … {grades.max()}")
