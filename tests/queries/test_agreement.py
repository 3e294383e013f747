"""Kappa against literals and scikit-learn."""

import numpy as np
import pytest

from text2image.queries.agreement import judge_agreement, quadratic_kappa
from text2image.queries.judgements import JudgementRow


def test_kappa_by_hand() -> None:
    """Observed agreement 3/4, by chance 3/4 * 2/4 + 1/4 * 2/4 = 1/2: kappa 1/2."""
    assert quadratic_kappa(np.array([0, 0, 0, 1]), np.array([0, 0, 1, 1])) == pytest.approx(0.5)


def test_weighted_kappa_by_hand() -> None:
    """Grades (0, 0), (3, 1): squared disagreement 4/2 seen; by chance (0 + 1 + 9 + 4) / 4."""
    assert quadratic_kappa(np.array([0, 3]), np.array([0, 1])) == pytest.approx(1 - 2 / 3.5)


def test_full_and_undefined_agreement() -> None:
    grades = np.array([0, 1, 2, 3])
    assert quadratic_kappa(grades, grades) == 1.0
    assert quadratic_kappa(np.array([2, 2]), np.array([2, 2])) is None
    assert quadratic_kappa(np.empty(0, int), np.empty(0, int)) is None
    assert quadratic_kappa(np.array([0, 1]), np.array([1, 0])) == -1.0


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_kappa_equals_scikit_learn(seed: int) -> None:
    sklearn = pytest.importorskip("sklearn.metrics")
    generator = np.random.default_rng(seed)
    first = generator.integers(0, 4, 200)
    second = np.where(generator.random(200) < 0.5, first, generator.integers(0, 4, 200))
    expected = sklearn.cohen_kappa_score(first, second, weights="quadratic")
    assert quadratic_kappa(first, second) == pytest.approx(expected)


def test_people_and_models_are_set_side_by_side() -> None:
    rows = [
        JudgementRow("human", "a", "i", 3, "Ann", ""), JudgementRow("human", "A", "i", 2, "model:x", ""),
        JudgementRow("human", "b", "i", 0, "Bob", ""), JudgementRow("human", "b", "i", 1, "Ann", ""),
        JudgementRow("human", "b", "i", 1, "model:x", ""), JudgementRow("ocr", "a", "i", 0, "Ann", ""),
    ]  # fmt: skip
    agreed = judge_agreement("human", rows)
    assert (agreed["by_people"], agreed["by_models"], agreed["by_both"]) == (2, 2, 2), "the last word counts"
    assert agreed["kappa_quadratic"] == quadratic_kappa(np.array([3, 1]), np.array([2, 1]))
