"""Ranks and rankings against hand-computed literals and a naive full-matrix oracle."""

import numpy as np
import pytest

from text2image.retrieval import ranking
from text2image.retrieval.ranking import ranks, score_blocks, top_k


def naive_order(line: np.ndarray) -> list[int]:
    return sorted(range(len(line)), key=lambda column: (-line[column], column))


def tied_scores(seed: int, shape: tuple[int, int]) -> np.ndarray:
    """Scores of few distinct values, so that ties are everywhere."""
    return np.random.default_rng(seed).integers(0, 6, shape).astype(np.float32) / 8


def test_ranks_by_hand() -> None:
    scores = np.array([[0.1, 0.9, 0.5, 0.5]], dtype=np.float32)
    found = ranks(scores, np.array([0, 0, 0, 0]), np.array([0, 1, 2, 3]))
    assert found.tolist() == [4, 1, 2, 3]  # of the two 0.5 the first in the gallery ranks first


@pytest.mark.parametrize("seed", range(5))
def test_ranks_equal_the_position_in_a_full_sort(seed: int) -> None:
    scores = tied_scores(seed, (7, 40))
    rows, columns = map(np.ravel, np.mgrid[0:7, 0:40])
    expected = [naive_order(scores[row]).index(column) + 1 for row, column in zip(rows, columns, strict=True)]
    assert ranks(scores, rows, columns).tolist() == expected


def test_equal_scores_rank_in_gallery_order() -> None:
    scores = np.zeros((1, 1000), dtype=np.float32)
    columns = np.arange(1000)
    assert ranks(scores, np.zeros(1000, dtype=int), columns).tolist() == list(range(1, 1001))


@pytest.mark.parametrize("k", [1, 3, 40, 99])
def test_top_k_is_the_start_of_a_full_sort(k: int) -> None:
    scores = tied_scores(11, (9, 40))
    assert top_k(scores, k).tolist() == [naive_order(line)[:k] for line in scores]


@pytest.mark.parametrize("block_scores", [1, 50, 170, 10**9])
def test_blocks_cover_all_queries_whatever_their_size(
    block_scores: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ranking, "BLOCK_SCORES", block_scores)
    generator = np.random.default_rng(3)
    queries = generator.normal(size=(23, 8)).astype(np.float32)
    images = generator.normal(size=(50, 8)).astype(np.float32)
    found = np.full((23, 50), np.nan, dtype=np.float32)
    for rows, scores in score_blocks(queries, images):
        assert scores.size <= max(block_scores, 50)
        found[rows] = scores
    np.testing.assert_allclose(found, queries @ images.T, rtol=1e-5, atol=1e-6)


def test_blocks_refuse_what_does_not_fit() -> None:
    with pytest.raises(ValueError, match="one dimension, found 3 and 4"):
        next(score_blocks(np.zeros((1, 3), np.float32), np.zeros((1, 4), np.float32)))
    with pytest.raises(ValueError, match="at least one image"):
        next(score_blocks(np.zeros((1, 3), np.float32), np.zeros((0, 3), np.float32)))
