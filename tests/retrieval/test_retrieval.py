"""The blocked ranking of a whole gallery against a naive one that sorts every score."""

import operator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from text2image.retrieval import counting
from text2image.retrieval.gallery import Ranking, rank_gallery
from text2image.retrieval.scores import error_bound, exact_scores, from_keys, sort_keys

N_QUERIES, N_IMAGES, DIM = 11, 230, 24


class Case(NamedTuple):
    """Queries, a gallery, and pairs of them."""

    queries: np.ndarray
    images: np.ndarray
    rows: np.ndarray
    columns: np.ndarray


def unit(matrix: np.ndarray) -> np.ndarray:
    return (matrix / np.linalg.norm(matrix, axis=1, keepdims=True)).astype(np.float32)


def some_pairs(generator: np.random.Generator, n_queries: int, n_images: int) -> tuple[np.ndarray, ...]:
    """Return different pairs, several, one or none a query."""
    pairs = np.unique(generator.integers(0, (n_queries, n_images), (3 * n_queries, 2)), axis=0)
    return pairs[:, 0], pairs[:, 1]


@cache
def cases() -> dict[str, Case]:
    """Return galleries in which much can go wrong."""
    generator = np.random.default_rng(0)
    queries, images = (unit(generator.normal(size=(n, DIM))) for n in (N_QUERIES, N_IMAGES))
    pairs = some_pairs(generator, N_QUERIES, N_IMAGES)
    few = images[:40]
    everything = tuple(map(np.ravel, np.mgrid[0:N_QUERIES, 0 : len(few)]))
    near = unit(np.repeat(images[:1], N_IMAGES, axis=0) + 1e-7 * generator.normal(size=images.shape))
    rising = images[np.argsort(images @ queries[0])]
    none = (np.zeros(0, dtype=np.int64),) * 2
    return {
        "plain": Case(queries, images, *pairs),
        "every image alike": Case(queries, np.repeat(images[:1], N_IMAGES, axis=0), *pairs),
        "duplicated images": Case(queries, images[generator.integers(0, 9, N_IMAGES)], *pairs),
        "apart by rounding alone": Case(queries, near, *pairs),
        "ever better images": Case(queries, rising, *pairs),
        "every image relevant": Case(queries, few, *everything),
        "all but one relevant": Case(queries, few, *(part[:-1] for part in everything)),
        "no pair": Case(queries, images, *none),
        "one image": Case(queries, images[:1], np.arange(N_QUERIES), np.zeros(N_QUERIES, dtype=np.int64)),
        "one query": Case(queries[:1], images, np.zeros(2, dtype=np.int64), np.array([7, 100])),
        "whole numbers": Case(np.round(3 * queries), np.round(3 * images), *pairs),
        "zeros": Case(np.zeros_like(queries), images, *pairs),
    }


@cache
def naive_scores(name: str) -> list[list[np.float32]]:
    """Return the score of every query and image, product by product."""
    case = cases()[name]
    queries, images = case.queries.tolist(), case.images.tolist()
    return [[np.float32(sum(map(operator.mul, query, image))) for image in images] for query in queries]


def naive(name: str, k: int) -> list[tuple[object, ...]]:
    """Return for each query its best images, their scores, its pairs' ranks and its best other image."""
    case = cases()[name]
    results: list[tuple[object, ...]] = []
    for row, exact in enumerate(naive_scores(name)):
        order = sorted(range(len(exact)), key=lambda column: (-exact[column], column))
        rank_of = {column: rank for rank, column in enumerate(order, start=1)}
        own = case.columns[case.rows == row].tolist()
        taken = set(own)
        other = next((column for column in order if column not in taken), -1)
        scores = [exact[c] for c in order[:k]], [exact[c] for c in own]
        results.append(
            (order[:k], scores[0], [rank_of[c] for c in own], scores[1], other, rank_of.get(other))
        )
    return results


def flat(rankings: list[Ranking], case: Case) -> list[tuple[object, ...]]:
    """Return rankings in the form of :func:`naive`."""
    found: list[tuple[object, ...]] = []
    for part in rankings:
        rows = case.rows[part.pairs] - part.queries.start
        for row in range(len(part.columns)):
            other = int(part.irrelevant_columns[row])
            found.append(
                (
                    part.columns[row].tolist(), part.scores[row].tolist(),
                    part.pair_ranks[rows == row].tolist(), part.pair_scores[rows == row].tolist(),
                    other, int(part.irrelevant_ranks[row]) if other >= 0 else None,
                )
            )  # fmt: skip
    return found


@pytest.mark.parametrize("name", cases())
@pytest.mark.parametrize("k", [1, 10, 229, 1000])
def test_blocks_threads_and_ties_change_nothing(name: str, k: int) -> None:
    case = cases()[name]
    expected = naive(name, k)
    for query_block, image_block, threads in ((3, 5, 1), (4, 7, 3), (5, 64, 2), (512, 8192, 1)):
        rankings = rank_gallery(*case, k, threads=threads, query_block=query_block, image_block=image_block)
        assert flat(list(rankings), case) == expected


def test_many_pairs_are_counted_another_way(monkeypatch: pytest.MonkeyPatch) -> None:
    case = cases()["duplicated images"]
    expected = naive("duplicated images", 5)
    monkeypatch.setattr(counting, "MANY", 3)
    assert flat(list(rank_gallery(*case, 5, image_block=50)), case) == expected
    assert (np.bincount(case.rows) >= 3).any()
    assert (np.bincount(case.rows) < 3).any()


def test_what_is_too_close_to_call_is_scored_exactly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the BLAS rounds, as long as it is within the bound."""
    case = cases()["plain"]
    expected = naive("plain", 10)
    generator, matmul, bound = np.random.default_rng(1), np.matmul, error_bound(*case[:2])

    def rough(left: np.ndarray, right: np.ndarray, out: np.ndarray) -> None:
        matmul(left, right, out=out)
        out += (0.9 * bound * generator.choice([-1, 1], out.shape)).astype(np.float32)

    monkeypatch.setattr(np, "matmul", rough)
    assert flat(list(rank_gallery(*case, 10, threads=1, image_block=64)), case) == expected


def test_products_are_within_the_bound() -> None:
    generator = np.random.default_rng(2)
    queries, images = (unit(generator.normal(size=(n, 512)) ** 3) for n in (40, 300))
    exact = queries.astype(np.float64) @ images.T.astype(np.float64)
    assert np.abs(queries @ images.T - exact).max() < error_bound(queries, images) < 1e-4


def test_exact_scores_depend_on_nothing_but_the_vectors() -> None:
    generator = np.random.default_rng(3)
    queries, images = (unit(generator.normal(size=(n, 512))) for n in (7, 500))
    rows, columns = map(np.ravel, np.mgrid[0:7, 0:500])
    together = exact_scores(queries, images, rows, columns)
    alone = [exact_scores(queries[r : r + 1], images[c : c + 1].copy(), *np.zeros((2, 1), int))[0]
             for r, c in zip(rows, columns, strict=True)]  # fmt: skip
    assert together.tolist() == alone


def test_the_gallery_may_lie_on_disk(tmp_path: Path) -> None:
    case = cases()["plain"]
    np.save(tmp_path / "images.npy", case.images)
    mapped = case._replace(images=np.load(tmp_path / "images.npy", mmap_mode="r"))
    assert flat(list(rank_gallery(*mapped, 10, image_block=32)), case) == naive("plain", 10)


def test_keys_sort_by_score_then_column() -> None:
    scores = np.array([-np.inf, -1.0, -1e-30, -0.0, 0.0, 1e-30, 0.5, 0.5, 1.0], dtype=np.float32)
    columns = np.array([3, 0, 4_000_000_000, 9, 8, 1, 7, 6, 5])
    keys = sort_keys(scores, columns)
    assert np.argsort(-keys).tolist() == [8, 7, 6, 5, 4, 3, 2, 1, 0]
    back = from_keys(keys)
    assert back[0].tolist() == scores.tolist()
    assert back[1].tolist() == columns.tolist()


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_a_number_is_refused(value: float) -> None:
    case = cases()["plain"]
    for broken in (case.queries.copy(), case.images.copy()):
        broken[1, 2] = value
        changed = case._replace(queries=broken) if len(broken) == N_QUERIES else case._replace(images=broken)
        with pytest.raises(ValueError, match="expected finite vectors"):
            next(rank_gallery(*changed, 3))


def test_what_does_not_fit_is_refused() -> None:
    queries, images, rows, columns = cases()["plain"]
    with pytest.raises(ValueError, match="one dimension, found 23 and 24"):
        next(rank_gallery(queries[:, :-1], images, rows, columns, 3))
    with pytest.raises(ValueError, match="at least one image"):
        next(rank_gallery(queries, images[:0], rows, columns, 3))
