"""Which systems are worth their cost: a Pareto front by what comparisons claim, not by points.

From the cheapest up, a system is on the front if it is claimed to be better than every cheaper one on the front, and no
system that costs no more is claimed to be better than it. A difference that may be luck is thus no reason to pay more.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from text2image.base.arrays import Booleans, Floats
from text2image.evaluation.measures import Measure
from text2image.evaluation.statistics.comparison import is_claimed


def claimed_better(names: Sequence[str], of_source: Mapping[str, Any], measure: Measure) -> Booleans:
    """Return which systems are claimed to be better than which.

    Args:
        names: of n systems.
        of_source: what comparison.json says of one source: ``{"A - B": {measure: figures}}``. Of pairs that it does not
            compare, nothing is claimed.
        measure: the headline measure, by which alone differences are claimed.

    Returns:
        ``(n, n)`` bool: whether the first is claimed to be better than the second.
    """
    better = np.zeros((len(names), len(names)), dtype=np.bool_)
    place = {name: i for i, name in enumerate(names)}
    for pair, figures in of_source.items():
        first, _, second = pair.partition(" - ")
        if first not in place or second not in place:
            continue
        one = figures[str(measure)]
        if is_claimed(*(one[key] for key in ("difference", "low", "high", "p_holm"))):
            ends = (first, second) if one["difference"] > 0 else (second, first)
            better[place[ends[0]], place[ends[1]]] = True
    return better


def pareto_front(costs: Floats, better: Booleans) -> Booleans:
    """Return who is on the front, by the rule of this module.

    One system is cheaper than another if it costs no more in any respect and less in one. Equally good ones that cost
    the same are all on the front or none of them.

    Args:
        costs: ``(n, n_respects)`` float64, less is better; infinite where it is not known.
        better: ``(n, n)`` bool, whether the first is claimed to be better than the second.

    Returns:
        ``(n,)`` bool; empty for n = 0.
    """
    on_front = np.zeros(len(costs), dtype=np.bool_)
    no_dearer: Booleans = np.all(costs[:, None] <= costs[None], axis=2)
    cheaper = no_dearer & ~no_dearer.T
    for one in np.lexsort(costs.T[::-1]):  # every cheaper one comes before
        dominated = bool((better[:, one] & no_dearer[:, one]).any())
        on_front[one] = not dominated and bool(better[one, on_front & cheaper[:, one]].all())
    return on_front


def front_of_tested(costs: Floats, better: Booleans, tested: Booleans) -> Booleans:
    """Return :func:`pareto_front` among those that are ``tested``, ``(n,)`` bool; the others are not on it."""
    front = np.zeros(len(costs), dtype=np.bool_)
    front[tested] = pareto_front(costs[tested], better[np.ix_(tested, tested)])
    return front
