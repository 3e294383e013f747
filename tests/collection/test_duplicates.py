"""Connected components against a naive union."""

import numpy as np
import pytest

from text2image.collection.duplicates import connected_components


def test_connected_components_by_hand() -> None:
    pairs = np.array([[4, 5], [1, 4], [0, 2]])
    assert connected_components(6, pairs).tolist() == [0, 1, 0, 2, 1, 1]
    assert connected_components(3, np.empty((0, 2), dtype=np.int64)).tolist() == [0, 1, 2]
    assert connected_components(3, np.array([[2, 2], [2, 1], [1, 2]])).tolist() == [0, 1, 1]


@pytest.mark.parametrize("seed", range(5))
def test_connected_components_equal_a_naive_union(seed: int) -> None:
    pairs = np.random.default_rng(seed).integers(0, 300, (220, 2))
    naive = list(range(300))
    for left, right in pairs.tolist():
        low, high = sorted((naive[left], naive[right]))
        naive = [low if component == high else component for component in naive]
    numbers = {component: number for number, component in enumerate(dict.fromkeys(naive))}
    assert connected_components(300, pairs).tolist() == [numbers[component] for component in naive]
