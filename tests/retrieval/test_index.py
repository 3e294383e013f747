"""Approximate indexes: what they find is measured against the exact ranking, and put in its order."""

import sys
from pathlib import Path

import numpy as np
import pytest

from text2image.base.console import InputError
from text2image.formats.views import ImageVectors
from text2image.retrieval.gallery import rank_gallery
from text2image.retrieval.index import Index, in_order, list_count, recall_of_index, recalls
from text2image.retrieval.scores import exact_scores

NONE = np.zeros(0, dtype=np.int64)


def vectors(n: int, seed: int) -> np.ndarray:
    """Return unit rows of 32 dimensions in clusters, as embeddings lie."""
    generator = np.random.default_rng(seed)
    centres = np.random.default_rng(0).normal(size=(40, 32))
    rows = centres[generator.integers(0, 40, n)] + 0.7 * generator.normal(size=(n, 32))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return vectors(12_000, 1)


@pytest.fixture(scope="module")
def queries() -> np.ndarray:
    return vectors(50, 2)


@pytest.mark.parametrize(
    ("kind", "n_images", "least"),
    [("hnsw", 3000, 0.9), ("ivf", 3000, 0.9), pytest.param("ivfpq", 12_000, 0.8, marks=pytest.mark.slow)],
)
def test_recall_is_what_a_naive_count_says(
    kind: str, n_images: int, least: float, images: np.ndarray, queries: np.ndarray, tmp_path: Path
) -> None:
    pytest.importorskip("faiss", reason="faiss is not installed: pip install '.[index]'")
    images = images[:n_images]
    Index.build(kind, images, 2).write(tmp_path / "index.faiss")
    index = Index.read(kind, tmp_path / "index.faiss", len(images))
    for other, number in {("ivf" if kind == "hnsw" else "hnsw", len(images)), (kind, len(images) - 1)}:
        with pytest.raises(
            InputError, match=rf"expected an index of {number} vectors .*: {other}\) .* of {n_images}; run"
        ):
            Index.read(other, tmp_path / "index.faiss", number)
    found, scores = index.search(queries, ImageVectors(images), 20, threads=2)
    exact = np.concatenate([part.columns for part in rank_gallery(queries, images, NONE, NONE, 20)])
    measured = recalls(found, exact, [1, 5, 20]).mean(axis=0)
    for value, k in zip(measured, [1, 5, 20], strict=True):
        shares = [len({*a[:k]} & {*b[:k]}) / k for a, b in zip(found.tolist(), exact.tolist(), strict=True)]
        assert value == pytest.approx(sum(shares) / len(shares))
        assert least <= value <= 1
    for row, (columns, its_scores) in enumerate(zip(found, scores, strict=True)):
        expected = exact_scores(queries, images, np.full(20, row), columns)
        assert its_scores.tolist() == expected.tolist(), "the scores of the exact ranking"
        assert columns.tolist() == sorted(columns, key=lambda c: (-its_scores[columns == c][0], c))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["hnsw", "ivf", "ivfpq"])
def test_the_same_vectors_give_the_same_index(kind: str, images: np.ndarray, tmp_path: Path) -> None:
    pytest.importorskip("faiss", reason="faiss is not installed: pip install '.[index]'")
    for name in ("first", "second"):
        Index.build(kind, images).write(tmp_path / name)
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()


@pytest.mark.parametrize("kind", ["hnsw", "ivf"])
def test_images_that_are_not_searched_are_not_found(
    kind: str, images: np.ndarray, queries: np.ndarray
) -> None:
    pytest.importorskip("faiss", reason="faiss is not installed: pip install '.[index]'")
    images = images[:3000]
    kept = np.flatnonzero(np.arange(len(images)) % 3)
    index = Index.build(kind, images, 2)
    found, scores = index.search(queries, ImageVectors(images[kept]), 20, kept, threads=2)
    exact = np.concatenate([part.columns for part in rank_gallery(queries, images[kept], NONE, NONE, 20)])
    assert recalls(found, exact, [20]).mean() > 0.9, "columns count the images that are kept"
    whole = index.search(queries, ImageVectors(images), 20, threads=2)
    assert not np.array_equal(scores, whole[1])
    everything = index.search(queries, ImageVectors(images), 20, np.arange(len(images)), threads=2)
    assert np.array_equal(everything[0], whole[0])


@pytest.mark.parametrize("kind", ["hnsw", "ivf"])
def test_a_tiny_gallery_is_found_whole(kind: str, images: np.ndarray, queries: np.ndarray) -> None:
    pytest.importorskip("faiss", reason="faiss is not installed: pip install '.[index]'")
    found, _ = Index.build(kind, images[:7], 1).search(queries, ImageVectors(images[:7]), 20, threads=1)
    assert np.sort(found, axis=1).tolist() == [list(range(7))] * len(queries)


def test_a_missing_index_is_one_sentence(tmp_path: Path) -> None:
    pytest.importorskip("faiss", reason="faiss is not installed: pip install '.[index]'")
    with pytest.raises(InputError, match=r"index.kind: hnsw\) .*, found no such file; run `dvc repro`"):
        Index.read("hnsw", tmp_path / "index.faiss", 3)


def test_candidates_are_put_in_order_by_hand() -> None:
    queries = np.array([[1.0, 0.0]], dtype=np.float32)
    images = np.array([[0.5, 0], [1, 0], [0.5, 1], [-1, 0]], dtype=np.float32)
    found, scores = in_order(queries, ImageVectors(images), np.array([[2, -1, 3, 0, 1]]), 4)
    assert found.tolist() == [[1, 0, 2, 3]]
    assert scores.tolist() == [[1, 0.5, 0.5, -1]]
    found, _ = in_order(queries, ImageVectors(images), np.array([[-1, 3, -1]]), 3)
    assert found.tolist() == [[3, -1, -1]]
    assert recalls(found, np.array([[3, 1, 0]]), [1, 3]).tolist() == [[1.0, 1 / 3]]
    assert recall_of_index(found, np.array([[3, 1, 0]]), 3) == {"recall@1": 1.0, "recall@3": 1 / 3}


def test_lists_follow_the_gallery() -> None:
    assert [list_count(n) for n in (1, 100, 10_000, 1_000_000, 100_000_000)] == [1, 2, 256, 2048, 32768]


def test_what_cannot_be_built_is_one_sentence(images: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        monkeypatch.context() as patched,
        pytest.raises(InputError, match=r"faiss-cpu for index.kind: hnsw"),
    ):
        patched.setitem(sys.modules, "faiss", None)
        Index.build("hnsw", images[:10])
    pytest.importorskip("faiss", reason="faiss is not installed: pip install '.[index]'")
    with pytest.raises(InputError, match=r"at least 9984 images for index.kind: ivfpq .* found 100"):
        Index.build("ivfpq", images[:100])


@pytest.mark.parametrize("seed", [0, 1])
def test_an_index_finds_images_by_their_best_view(seed: int) -> None:
    """So small a gallery is searched whole, so that what is found is what an exact ranking finds."""
    pytest.importorskip("faiss", reason="faiss is not installed: pip install '.[index]'")
    generator = np.random.default_rng(seed)
    counts = generator.integers(1, 6, 60)
    vectors = generator.normal(size=(counts.sum(), 16)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    gallery = ImageVectors(vectors, np.cumsum(counts) - counts)
    index, queries = Index.build("hnsw", vectors, 1), vectors[::9]
    for columns in (np.arange(60), np.arange(0, 60, 2)):
        there, (rows, _) = gallery.select(columns), gallery.rows(columns)
        found, scores = index.search(queries, there, 12, rows, threads=1)
        exact = list(rank_gallery(queries, there.vectors, NONE, NONE, 12, starts=there.starts))
        assert found.tolist() == np.concatenate([part.columns for part in exact]).tolist()
        assert scores.tolist() == np.concatenate([part.scores for part in exact]).tolist()
