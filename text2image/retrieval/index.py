"""Approximate indexes of a gallery's vectors, by faiss: building, writing, reading and searching them.

A search by an index is faster than an exact one and may miss images; what it returns is in the order of the exact
scores. All sizes follow from the gallery's, by rules that the literature and faiss's own guidelines give:

- ``hnsw``: a graph of 32 neighbours an image (Malkov and Yashunin, 2016), built by one thread, because with
  several the same vectors would give another graph each time; a search keeps four times as many candidates as
  it returns, at least 256.
- ``ivf``: 4 √n lists (a power of two, at least 39 images a list), of which a search reads a sixteenth.
- ``ivfpq``: the same lists, a vector compressed to a byte for every 8 dimensions; a search
  returns ten times as many candidates, to be put in order by their exact scores.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from text2image.base.arrays import Floats, Integers, Vectors
from text2image.base.console import InputError
from text2image.base.parallel import thread_count
from text2image.formats.views import ImageVectors
from text2image.retrieval.scores import from_keys, gallery_scores, sort_keys

NEIGHBOURS, EFFORT, CANDIDATES = 32, 80, 256
PER_LIST, LISTS_READ = 39, 16
CLASSES = {"hnsw": "IndexHNSWFlat", "ivf": "IndexIVFFlat", "ivfpq": "IndexIVFPQ"}
CODE_DIMENSIONS, CODEWORDS, OVERSAMPLING = 8, 256, 10
TRAINING_PER_LIST = 64  # images a list from which the lists are learned
RECALL_K = (1, 5, 10, 20, 50)  # and retrieve.depth
NO_IMAGE = np.iinfo(np.int64).min  # the sort key of an empty place


class Index:
    """An approximate index of a gallery, made by :meth:`build` or :meth:`read`: row i of it is the i-th vector.

    That is the i-th image, unless a model sees several views of an image: views.csv then says whose vector it is.
    """

    def __init__(self, kind: str, faiss_index: Any) -> None:
        self._kind, self._index = kind, faiss_index

    @classmethod
    def build(cls, kind: str, images: Vectors, threads: int | None = None) -> Self:
        """Return the index ``kind`` (hnsw, ivf or ivfpq) of ``images``, ``(n_vectors, dim)`` unit rows.

        Raises:
            InputError: faiss is not installed, or the gallery is too small for ``ivfpq``.
        """
        faiss = load_faiss(kind)
        faiss.omp_set_num_threads(1 if kind == "hnsw" else thread_count(threads))
        recipe = _recipe(kind, *images.shape)
        index = faiss.index_factory(images.shape[1], recipe, faiss.METRIC_INNER_PRODUCT)
        if kind == "hnsw":
            index.hnsw.efConstruction = EFFORT
        else:
            _learn_lists(index, images)
        index.add(np.ascontiguousarray(images))
        return cls(kind, index)

    @classmethod
    def read(cls, kind: str, path: Path, n_vectors: int) -> Self:
        """Read the index ``kind`` of ``n_vectors`` vectors that :meth:`write` wrote.

        Raises:
            InputError: faiss is not installed, or there is another file, or none.
        """
        faiss, there = load_faiss(kind), "no such file"
        if path.is_file():
            index = faiss.read_index(str(path))
            if type(index).__name__ == CLASSES[kind] and index.ntotal == n_vectors:
                return cls(kind, index)
            there = f"{type(index).__name__} of {index.ntotal}"
        raise InputError(
            f"expected an index of {n_vectors} vectors (params key index.kind: {kind}) in {path}, found {there}; "
            "run `dvc repro`"
        )

    def write(self, path: Path) -> None:
        """Write the index in faiss's format."""
        load_faiss(self._kind).write_index(self._index, str(path))

    def search(
        self,
        queries: Vectors,
        images: ImageVectors,
        k: int,
        kept: Integers | None = None,
        threads: int | None = None,
    ) -> tuple[Integers, Vectors]:
        """Return the images that the index finds for each query, in the order of their exact scores.

        Args:
            queries: ``(n_queries, dim)`` float32, unit rows.
            images: those that are searched.
            k: how many images at most; as many vectors are looked for as so many images can have.
            kept: the only rows of the index to be found, which are those of ``images``, in increasing order; None for all.
            threads: None for one a core.

        Returns:
            Images, counted from 0, -1 where there are no more, and scores: ``(n_queries, at most k)`` each.
        """
        kept = None if kept is None or len(kept) == self._index.ntotal else kept
        rows = self._candidates(queries, k * images.most(), kept, threads)
        if kept is not None:
            rows = np.where(rows < 0, -1, np.searchsorted(kept, rows))
        if images.starts is not None:
            rows = once_a_row(np.where(rows < 0, -1, images.images_of(rows)))
        return in_order(queries, images, rows, k)

    def _candidates(self, queries: Vectors, k: int, kept: Integers | None, threads: int | None) -> Integers:
        """Return rows of the index for each query, ``(n_queries, n)``; -1 for none; more than ``k`` if need be."""
        faiss, index = load_faiss(self._kind), self._index
        faiss.omp_set_num_threads(thread_count(threads))
        chosen = {} if kept is None else {"sel": faiss.IDSelectorBatch(kept)}
        if self._kind == "hnsw":
            how = faiss.SearchParametersHNSW(efSearch=max(CANDIDATES, 4 * k), **chosen)
        else:
            how = faiss.SearchParametersIVF(nprobe=max(1, index.nlist // LISTS_READ), **chosen)
        wanted = min(k * OVERSAMPLING if self._kind == "ivfpq" else k, index.ntotal)
        columns: Integers = index.search(np.ascontiguousarray(queries), wanted, params=how)[1]
        return columns


def load_faiss(kind: str) -> Any:
    """Return the module ``faiss``; an ``InputError`` where it is not installed."""
    try:
        import faiss
    except ImportError:
        raise InputError(
            f"expected the package faiss-cpu for index.kind: {kind} in params.yaml, found none; "
            "run pip install 'text2image-retrieval[index]', or in this repository: pip install -e '.[index]'"
        ) from None
    return faiss


def _recipe(kind: str, n_images: int, dim: int) -> str:
    """Return how faiss's index factory calls an index of such a gallery."""
    if kind == "hnsw":
        return f"HNSW{NEIGHBOURS}"
    if kind == "ivf":
        return f"IVF{list_count(n_images)},Flat"
    if n_images < PER_LIST * CODEWORDS:
        raise InputError(
            f"expected at least {PER_LIST * CODEWORDS} images for index.kind: ivfpq in params.yaml, "
            f"found {n_images}; an exact search is fast for so few"
        )
    codes = max(m for m in range(1, max(1, dim // CODE_DIMENSIONS) + 1) if dim % m == 0)
    return f"IVF{list_count(n_images)},PQ{codes}x8np"


def _learn_lists(index: Any, images: Vectors) -> None:
    """Let an empty index learn its lists from some of the images."""
    index.cp.max_points_per_centroid = TRAINING_PER_LIST
    index.cp.min_points_per_centroid = 1  # of a tiny gallery, without a warning
    some = np.random.default_rng(0).permutation(len(images))[: max(TRAINING_PER_LIST * index.nlist, 65536)]
    index.train(np.ascontiguousarray(images[np.sort(some)]))


def list_count(n_images: int) -> int:
    """Return 4 √n as a power of two, less for galleries with few images a list."""
    return int(2 ** int(np.log2(max(1.0, min(4 * n_images**0.5, n_images / PER_LIST)))))


def once_a_row(columns: Integers) -> Integers:
    """Return ``columns``, ``(n_queries, n)``, sorted in each row and with -1 for all but the first of equals."""
    columns = np.sort(columns, axis=1)
    repeated = columns[:, 1:] == columns[:, :-1]
    columns[:, 1:][repeated] = -1
    return columns


def in_order(
    queries: Vectors, images: ImageVectors, candidates: Integers, k: int
) -> tuple[Integers, Vectors]:
    """Score candidates exactly and return the ``k`` best of each query, by the project's tie rule.

    Args:
        queries: ``(n_queries, dim)`` float32, unit rows.
        images: the gallery.
        candidates: ``(n_queries, n)`` columns of the gallery, each at most once a row; -1 for none.
        k: how many.

    Returns:
        ``(n_queries, min(k, n))`` columns, best first and -1 where there are no more, and their scores.
    """
    rows, places = np.nonzero(candidates >= 0)
    columns = candidates[rows, places]
    keys = np.full(candidates.shape, NO_IMAGE)
    keys[rows, places] = sort_keys(gallery_scores(queries, images, rows, columns), columns)
    keys = np.sort(keys, axis=1)[:, ::-1][:, :k]
    scores, best = from_keys(keys)
    return np.where(keys > NO_IMAGE, best, -1), scores


def recalls(approximate: Integers, exact: Integers, ks: Sequence[int]) -> Floats:
    """Return the share of each query's exact first k that are among the first k of an approximate search.

    Args:
        approximate, exact: ``(n_queries, n)`` columns, best first; -1 in ``approximate`` for none.
        ks: cut-offs; where fewer images are ranked, all of them count.

    Returns:
        ``(n_queries, len(ks))`` float64 in [0, 1].
    """
    pairs = list(zip(exact, approximate, strict=True))
    return np.array([[np.isin(right[:k], there[:k]).mean() for k in ks] for right, there in pairs])


def recall_of_index(approximate: Integers, exact: Integers, depth: int) -> dict[str, float]:
    """Return ``{"recall@K": mean over queries}`` at usual cut-offs and at ``depth``; see :func:`recalls`."""
    ks = sorted({*(k for k in RECALL_K if k < depth), depth})
    means = recalls(approximate, exact, ks).mean(axis=0)
    return {f"recall@{k}": float(mean) for k, mean in zip(ks, means, strict=True)}
