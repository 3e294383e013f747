"""Images of several vectors: the best of them counts, in every way of ranking, as in a naive loop."""

from pathlib import Path

import numpy as np
import pytest

from text2image.base.console import InputError
from text2image.formats.views import ImageVectors, ViewRow, read_image_vectors, view_starts, write_views
from text2image.retrieval import counting
from text2image.retrieval.gallery import rank_gallery
from text2image.retrieval.ranking import score_blocks
from text2image.retrieval.scores import best_view_scores

N_QUERIES, N_IMAGES, DIM = 9, 120, 16


def unit(matrix: np.ndarray) -> np.ndarray:
    return (matrix / np.linalg.norm(matrix, axis=1, keepdims=True)).astype(np.float32)


def made(kind: str, seed: int) -> tuple[np.ndarray, ImageVectors]:
    """Return queries and images of one to thirteen vectors; of ``ties``, of few different ones."""
    generator = np.random.default_rng(seed)
    counts = generator.integers(1, 14, N_IMAGES)
    vectors = unit(generator.normal(size=(counts.sum(), DIM)))
    if kind == "ties":
        vectors = vectors[generator.integers(0, 7, len(vectors))]
    if kind == "near ties":
        vectors = unit(vectors[:1] + 1e-7 * generator.normal(size=vectors.shape))
    return unit(generator.normal(size=(N_QUERIES, DIM))), ImageVectors(vectors, np.cumsum(counts) - counts)


def naive_scores(queries: np.ndarray, images: ImageVectors) -> list[list[tuple[float, int]]]:
    """Return ``(score, view)`` of every query and image, product by product."""
    assert images.starts is not None
    ends = [*images.starts[1:].tolist(), len(images.vectors)]
    rows, vectors = [], images.vectors.tolist()
    for query in queries.tolist():
        every = [float(np.float32(sum(a * b for a, b in zip(query, v, strict=True)))) for v in vectors]
        parts = [every[start:end] for start, end in zip(images.starts.tolist(), ends, strict=True)]
        rows.append([(max(part), part.index(max(part))) for part in parts])
    return rows


@pytest.mark.parametrize("kind", ["plain", "ties", "near ties"])
@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("many", [3, 256])
def test_the_best_view_of_an_image_counts(
    kind: str, seed: int, many: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counting, "MANY", many)
    queries, images = made(kind, seed)
    pairs = np.unique(np.random.default_rng(seed).integers(0, (N_QUERIES, N_IMAGES), (40, 2)), axis=0)
    rows, columns = pairs.T
    scores = [[score for score, _ in line] for line in naive_scores(queries, images)]
    orders = [sorted(range(N_IMAGES), key=lambda c: (-line[c], c)) for line in scores]
    for k, query_block, image_block, threads in ((1, 4, 5, 1), (10, 3, 64, 2), (500, 512, 8192, 1)):
        found = list(
            rank_gallery(
                queries, images.vectors, rows, columns, k, starts=images.starts,
                threads=threads, query_block=query_block, image_block=image_block,
            )
        )  # fmt: skip
        best = np.concatenate([part.columns for part in found])
        assert best.tolist() == [order[:k] for order in orders]
        assert np.concatenate([part.scores for part in found]).tolist() == [
            [line[column] for column in order[:k]] for line, order in zip(scores, orders, strict=True)
        ]
        ranks = np.concatenate([part.pair_ranks for part in found])
        assert ranks.tolist() == [orders[row].index(column) + 1 for row, column in pairs.tolist()]
        others = [
            next(c for c in order if c not in set(columns[rows == row])) for row, order in enumerate(orders)
        ]
        assert np.concatenate([part.irrelevant_columns for part in found]).tolist() == others


@pytest.mark.parametrize("kind", ["plain", "ties"])
def test_scores_by_block_and_the_view_that_wins(kind: str) -> None:
    queries, images = made(kind, 3)
    naive = naive_scores(queries, images)
    blocks = score_blocks(queries, images.vectors, images.starts)
    scores = np.concatenate([block.copy() for _, block in blocks])
    assert scores.tolist() == [[score for score, _ in line] for line in naive]
    rows, columns = map(np.ravel, np.mgrid[0:N_QUERIES, 0:N_IMAGES])
    best, views = best_view_scores(queries, images, rows, columns)
    assert best.tolist() == scores.ravel().tolist()
    assert views.tolist() == [view for line in naive for _, view in line]
    assert best_view_scores(queries, images, rows[:0], columns[:0])[0].shape == (0,)


@pytest.mark.parametrize("most", [1, 5, 13, 14, 10000])
def test_blocks_hold_whole_images(most: int) -> None:
    _, images = made("plain", 4)
    assert images.starts is not None
    found = list(images.blocks(most))
    assert np.concatenate([block for _, block, _ in found]).tobytes() == images.vectors.tobytes()
    assert [start + len(begins) for start, _, begins in found if begins is not None][-1] == N_IMAGES
    for start, block, begins in found:
        assert begins is not None
        assert len(block) <= images.longest(most)
        assert len(block) <= most or len(begins) == 1
        assert (begins + images.starts[start]).tolist() == images.starts[start:][: len(begins)].tolist()


def test_some_images_keep_all_their_vectors() -> None:
    _, images = made("plain", 5)
    assert images.starts is not None
    some = np.array([0, 7, 8, 119])
    chosen, ends = images.select(some), np.append(images.starts, len(images.vectors))
    expected = np.concatenate([images.vectors[ends[column] : ends[column + 1]] for column in some])
    assert chosen.vectors.tobytes() == expected.tobytes()
    assert chosen.first().tobytes() == images.vectors[images.starts[some]].tobytes()
    assert images.select(np.arange(N_IMAGES)) is images
    alone = ImageVectors(images.vectors)
    assert alone.select(some).vectors.tobytes() == images.vectors[some].tobytes()
    assert alone.select(some).starts is None


def test_vectors_are_those_of_the_gallery(tmp_path: Path) -> None:
    vectors, views = tmp_path / "images.npy", tmp_path / "views.csv"
    with pytest.raises(InputError, match=r"expected a matrix in .*images\.npy, found: .*; run `dvc repro`"):
        read_image_vectors(vectors, views, ["a"])
    np.save(vectors, np.eye(3, dtype=np.float32))
    assert read_image_vectors(vectors, views, ["a", "b", "c"]).starts is None, "without a look at the views"
    write_views(views, [ViewRow("a", "whole"), ViewRow("a", "tile 1 of 2"), ViewRow("b", "whole")])
    starts = read_image_vectors(vectors, views, ["a", "b"]).starts
    assert starts is not None
    assert starts.tolist() == [0, 2]
    with pytest.raises(
        InputError, match=r"expected a row for each of the 3 views of 2 images .* \(3, 3\), and views of 2"
    ):
        read_image_vectors(vectors, views, ["a", "c"])
    assert view_starts([]).tolist() == []
