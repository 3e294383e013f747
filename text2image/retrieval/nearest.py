"""Approximate indexes of a gallery, by faiss: which they are, how they are built and asked.

All sizes follow from the gallery's, by rules that the literature and faiss's own guidelines give:

- ``hnsw``: a graph of 32 neighbours an image (Malkov and Yashunin, 2016), built by one thread, because with
  several the same vectors would give another graph each time; a search keeps four times as many candidates as
  it returns, at least 256.
- ``ivf``: 4 √n lists (a power of two, at least 39 images a list), of which a search reads a sixteenth.
- ``ivfpq``: the same lists, a vector compressed to a byte for every 8 dimensions; a search
  returns ten times as many candidates, to be put in order by their exact scores.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from text2image.base.console import InputError
from text2image.base.parallel import thread_count
from text2image.retrieval.approximate import in_order

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]

NEIGHBOURS, EFFORT, CANDIDATES = 32, 80, 256
PER_LIST, LISTS_READ = 39, 16
CLASSES = {"hnsw": "IndexHNSWFlat", "ivf": "IndexIVFFlat", "ivfpq": "IndexIVFPQ"}
CODE_DIMENSIONS, CODEWORDS, OVERSAMPLING = 8, 256, 10
TRAINING_PER_LIST = 64  # images a list from which the lists are learned


def load_faiss(kind: str) -> Any:
    """Return the module ``faiss``.

    Raises:
        InputError: it is not installed.
    """
    try:
        import faiss
    except ImportError:
        raise InputError(
            f"expected the package faiss-cpu for retrieve.index: {kind} in params.yaml, found none; "
            "run pip install 'text2image-retrieval[index]', or in this repository: pip install -e '.[index]'"
        ) from None
    return faiss


def build(kind: str, images: Floats, threads: int | None = None) -> Any:
    """Return the faiss index ``kind`` (hnsw, ivf or ivfpq) of ``images``, ``(n_images, dim)`` unit rows.

    Raises:
        InputError: faiss is not installed, or the gallery is too small for ``ivfpq``.
    """
    faiss = load_faiss(kind)
    n_images, dim = images.shape
    faiss.omp_set_num_threads(1 if kind == "hnsw" else thread_count(threads))
    if kind == "hnsw":
        index = faiss.IndexHNSWFlat(dim, NEIGHBOURS, faiss.METRIC_INNER_PRODUCT)
        index.hnsw.efConstruction = EFFORT
    else:
        n_lists = list_count(n_images)
        coarse = faiss.IndexFlatIP(dim)
        if kind == "ivf":
            index = faiss.IndexIVFFlat(coarse, dim, n_lists, faiss.METRIC_INNER_PRODUCT)
        else:
            if n_images < PER_LIST * CODEWORDS:
                raise InputError(
                    f"expected at least {PER_LIST * CODEWORDS} images for retrieve.index: ivfpq in params.yaml, "
                    f"found {n_images}; exact is fast for so few"
                )
            codes = max(m for m in range(1, max(1, dim // CODE_DIMENSIONS) + 1) if dim % m == 0)
            index = faiss.IndexIVFPQ(coarse, dim, n_lists, codes, 8, faiss.METRIC_INNER_PRODUCT)
        index.cp.max_points_per_centroid = TRAINING_PER_LIST
        index.cp.min_points_per_centroid = 1  # of a tiny gallery, without a warning
        some = np.random.default_rng(0).permutation(n_images)[: max(TRAINING_PER_LIST * n_lists, 65536)]
        index.train(np.ascontiguousarray(images[np.sort(some)]))
    index.add(np.ascontiguousarray(images))
    return index


def list_count(n_images: int) -> int:
    """Return 4 √n as a power of two, less for galleries with few images a list."""
    return int(2 ** int(np.log2(max(1.0, min(4 * n_images**0.5, n_images / PER_LIST)))))


def write(index: Any, path: Path) -> None:
    """Write an index, or for None an empty file, which says that the search is exact."""
    if index is None:
        path.write_bytes(b"")
    else:
        load_faiss("").write_index(index, str(path))


def read(kind: str, path: Path, n_images: int) -> Any:
    """Read the index ``kind`` of ``n_images`` images that :func:`write` wrote.

    Raises:
        InputError: faiss is not installed, or there is another file, or none.
    """
    faiss = load_faiss(kind)
    found = "no such file"
    if path.is_file():
        found = "the mark of an exact search"
        if path.stat().st_size:
            index = faiss.read_index(str(path))
            if type(index).__name__ == CLASSES[kind] and index.ntotal == n_images:
                return index
            found = f"{type(index).__name__} of {index.ntotal}"
    raise InputError(
        f"expected the index of {n_images} images that retrieve.index: {kind} in params.yaml names in {path}, "
        f"found {found}; run `dvc repro`"
    )


def candidates(
    kind: str, index: Any, queries: Floats, k: int, kept: Integers | None, threads: int | None = None
) -> Integers:
    """Return the columns that the index finds for each query, ``(n_queries, n)``; -1 for none.

    Args:
        kind: what :func:`build` was given.
        index: what it returned.
        queries: ``(n_queries, dim)`` float32, unit rows.
        k: how many are wanted; more are returned where they should be put in order by exact scores.
        kept: the only columns to be found; None for all.
        threads: None for one a core.
    """
    faiss = load_faiss(kind)
    faiss.omp_set_num_threads(thread_count(threads))
    chosen = {} if kept is None else {"sel": faiss.IDSelectorBatch(kept)}
    if kind == "hnsw":
        how = faiss.SearchParametersHNSW(efSearch=max(CANDIDATES, 4 * k), **chosen)
    else:
        read_lists = max(1, index.nlist // LISTS_READ)
        how = faiss.SearchParametersIVF(nprobe=read_lists, **chosen)
    wanted = min(k * OVERSAMPLING if kind == "ivfpq" else k, index.ntotal)
    found: Integers = index.search(np.ascontiguousarray(queries), wanted, params=how)[1]
    return found


def ask(
    kind: str,
    index: Any,
    queries: Floats,
    images: Floats,
    k: int,
    kept: Integers | None = None,
    threads: int | None = None,
) -> tuple[Integers, Floats]:
    """Return what the index finds in the order of the exact scores: columns and scores, ``(n_queries, ≤ k)``.

    Args:
        images: the vectors searched, ``(n_images, dim)``: of ``kept`` alone where that is given.

    The others as for :func:`candidates`. Columns are rows of ``images``, -1 where there are no more.
    """
    found = candidates(kind, index, queries, k, kept, threads)
    if kept is not None:
        found = np.where(found < 0, -1, np.searchsorted(kept, found))
    return in_order(queries, images, found, k)
