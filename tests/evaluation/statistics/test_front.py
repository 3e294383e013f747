"""The Pareto front by claims: a naive oracle, cases by hand, and what is claimed."""

import numpy as np
import pytest

from text2image.evaluation.measures import Measure
from text2image.evaluation.statistics.front import claimed_better, front_of_tested, pareto_front

HIT_RATE = Measure("hit_rate", 5)


def naive_front(costs: np.ndarray, better: np.ndarray) -> list[bool]:
    """The rule by words, from each system down to the cheapest."""
    places = range(len(costs))

    def no_dearer(i: int, j: int) -> bool:
        return all(a <= b for a, b in zip(costs[i], costs[j], strict=True))

    def on_front(one: int) -> bool:
        if any(better[i, one] for i in places if no_dearer(i, one)):
            return False
        cheaper = [i for i in places if no_dearer(i, one) and not no_dearer(one, i)]
        return all(better[one, i] for i in cheaper if on_front(i))

    return [on_front(one) for one in places]


@pytest.mark.parametrize("seed", range(40))
def test_the_front_against_a_naive_oracle(seed: int) -> None:
    generator = np.random.default_rng(seed)
    n, respects = seed % 8, 1 + seed % 3
    costs = generator.integers(0, 4, (n, respects)).astype(np.float64)
    costs[generator.random(costs.shape) < 0.1] = np.inf
    signs = np.triu(generator.integers(-1, 2, (n, n)), 1)
    better = (signs > 0) | (signs.T < 0)
    assert pareto_front(costs, better).tolist() == naive_front(costs, better)


def claims(n: int, *pairs: tuple[int, int]) -> np.ndarray:
    better = np.zeros((n, n), dtype=np.bool_)
    for pair in pairs:
        better[pair] = True
    return better


def test_a_difference_that_may_be_luck_is_no_reason_to_pay_more() -> None:
    costs = np.array([[1.0], [2.0], [3.0]])
    assert pareto_front(costs, claims(3)).tolist() == [True, False, False]
    assert pareto_front(costs, claims(3, (2, 0))).tolist() == [True, False, True], (
        "the second, not told from the first, is off the front and hides nobody"
    )
    assert pareto_front(costs, claims(3, (1, 0), (2, 0))).tolist() == [True, True, False]
    assert pareto_front(costs, claims(3, (1, 0), (2, 0), (2, 1))).tolist() == [True] * 3
    assert pareto_front(costs, claims(3, (0, 1), (0, 2))).tolist() == [True, False, False]
    assert pareto_front(costs, claims(3, (2, 0), (1, 2))).tolist() == [True, False, False], (
        "a cheaper one is better, though it is not on the front itself"
    )


def test_of_those_that_cost_the_same_the_better_one_is_on_it() -> None:
    costs = np.array([[1.0], [1.0]])
    assert pareto_front(costs, claims(2)).tolist() == [True, True]
    assert pareto_front(costs, claims(2, (1, 0))).tolist() == [False, True]


def test_who_is_dearer_in_one_respect_and_cheaper_in_another_is_compared_with_nobody() -> None:
    costs = np.array([[1.0, 5.0], [2.0, 0.0]])
    assert pareto_front(costs, claims(2)).tolist() == [True, True]
    assert pareto_front(costs, claims(2, (0, 1))).tolist() == [True, True]


def test_what_is_no_test_is_on_no_front_and_keeps_nobody_off() -> None:
    costs, tested = np.array([[1.0], [2.0]]), np.array([False, True])
    assert front_of_tested(costs, claims(2, (0, 1)), tested).tolist() == [False, True]
    assert front_of_tested(costs, claims(2), ~tested).tolist() == [True, False]


def test_what_comparisons_claim() -> None:
    def figures(difference: float, low: float | None, high: float | None, p: float) -> dict[str, object]:
        return {"hit_rate@5": {"difference": difference, "low": low, "high": high, "p_holm": p}}

    of_source = {
        "summary": ["in words"],
        "a - b": figures(-0.3, -0.4, -0.2, 0.001),
        "a - c": figures(0.3, 0.2, 0.4, 0.06),
        "b - c": figures(0.3, 0.1, 0.5, 0.04),
        "a - gone": figures(0.3, 0.1, 0.5, 0.04),
    }
    better = claimed_better(["a", "b", "c", "few"], of_source, HIT_RATE)
    assert {tuple(pair) for pair in np.argwhere(better).tolist()} == {(1, 0), (1, 2)}
    too_few = {"a - b": figures(0.9, None, None, 0.001)}
    assert not claimed_better(["a", "b"], too_few, HIT_RATE).any()
