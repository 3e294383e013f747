"""Near-duplicates against the comparison of all pairs."""

import numpy as np
import pytest

from text2image.collection.duplicates import connected_components, near_groups, near_pairs


def hashes_with_neighbours(seed: int) -> np.ndarray:
    generator = np.random.default_rng(seed)
    base = generator.integers(0, 2**64, 60, dtype=np.uint64)
    flips = [np.uint64(sum(1 << int(bit) for bit in generator.choice(64, size))) for size in range(12)]
    return np.concatenate([base, base[:12] ^ np.array(flips), base[:5]])


@pytest.mark.parametrize("bits", [0, 1, 6, 10, 31])
def test_pairs_equal_the_comparison_of_all(bits: int) -> None:
    hashes = hashes_with_neighbours(bits)
    expected = [
        [i, j]
        for i in range(len(hashes))
        for j in range(i + 1, len(hashes))
        if int(hashes[i] ^ hashes[j]).bit_count() <= bits
    ]
    assert near_pairs(hashes, bits).tolist() == expected


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


def test_groups_are_numbered_by_first_appearance() -> None:
    hashes = np.array([7 * 2**60, 0, 7 * 2**60 + 1, 2**20 - 1, 0], dtype=np.uint64)
    assert near_groups(hashes, 1).tolist() == [0, 1, 0, 2, 1]
