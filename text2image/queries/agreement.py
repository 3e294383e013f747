"""How far two judges agree on grades of relevance."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from text2image.base.arrays import Integers
from text2image.formats.texts import query_id
from text2image.queries.judgements import JudgementRow, is_person


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
        "kappa_quadratic": quadratic_kappa(people, models),
    }


def quadratic_kappa(first: Integers, second: Integers) -> float | None:
    """Return Cohen's kappa, with quadratic weights, of two judges who graded the same items.

    ``kappa = 1 - n sum_i (x_i - y_i)^2 / sum_ij (x_i - y_j)^2``: how much the judges differ on the same
    items, against how much they would by chance. 1 is full agreement, 0 what chance gives, below 0 is worse.
    The sums are of whole numbers, and so exact.

    Sources: Cohen, A Coefficient of Agreement for Nominal Scales, 1960; Cohen, Weighted Kappa, 1968.

    Args:
        first, second: ``(n_items,)`` int64 grades of each item.

    Returns:
        A number in [-1, 1]; None where it is not defined: no items, or both judges gave one and the
        same grade throughout.
    """
    n, difference = len(first), first - second
    by_chance = n * int(first @ first + second @ second) - 2 * int(first.sum()) * int(second.sum())
    return 1.0 - n * int(difference @ difference) / by_chance if by_chance else None
