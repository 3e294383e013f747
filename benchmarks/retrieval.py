"""Exact retrieval against its products alone, and indexes against it: ``python -m benchmarks.retrieval``.

``[--images 1000000 --queries 10000] [--only exact|index|peers]``. Best with all cores and nothing else running.

- exact: the 100 best images, the exact rank of the relevant ones and the best irrelevant image of every
  query, with the images memory-mapped, against the same float32 products alone, by the same blocks and
  threads, and against them in larger blocks by the BLAS's own threads. Query blocks of all take turns, so that
  what else the machine does falls on each alike. Must take at most 1.4 times the products, and at most
  1 GiB beyond the two matrices.
- index: build time, time for one query and recall against exact, on a fifth of the images.
- peers: ranks by open_clip's and CLIP_benchmark's code, 10,000 x 10,000, one relevant image a query.

Vectors are made here: a spectrum that falls like that of trained embeddings, queries near their image.
"""

import argparse
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Self

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.table import Row, against, at_most, interleaved, reference, report, require, seconds
from text2image.formats.views import ImageVectors
from text2image.retrieval.gallery import IMAGE_BLOCK, QUERY_BLOCK, Ranking, rank_gallery
from text2image.retrieval.index import Index, recalls
from text2image.retrieval.ranking import score_blocks, top_k

DIM, DEPTH = 512, 100
MAX_RATIO, MAX_GIB = 1.4, 1.0
SHARE, PEERS, ASKED = 5, 10_000, 500
NONE = np.zeros(0, dtype=np.int64)


def unit(matrix: np.ndarray) -> np.ndarray:
    return (matrix / np.linalg.norm(matrix, axis=1, keepdims=True)).astype(np.float32)


def spread(n: int, generator: np.random.Generator) -> np.ndarray:
    """Return ``(n, DIM)`` unit rows, the i-th axis with variance 1 / i."""
    return unit(generator.standard_normal((n, DIM), dtype=np.float32) * np.arange(1, DIM + 1) ** -0.5)


def write_gallery(path: Path, n_images: int) -> np.ndarray:
    """Write the images' vectors block by block and return them memory-mapped."""
    matrix = np.lib.format.open_memmap(path, "w+", np.float32, (n_images, DIM))
    for start in range(0, n_images, 50_000):
        matrix[start : start + 50_000] = spread(min(50_000, n_images - start), np.random.default_rng(start))
    matrix.flush()
    del matrix
    return np.load(path, mmap_mode="r")


def near(images: np.ndarray, n_queries: int) -> tuple[np.ndarray, np.ndarray]:
    """Return queries and the column of the image that each is about, at widely spread ranks."""
    generator = np.random.default_rng(1)
    columns = generator.integers(0, len(images), n_queries)
    noise = generator.uniform(0.5, 4.0, (n_queries, 1)).astype(np.float32)
    return unit(images[np.sort(columns)] + noise * spread(n_queries, generator)), np.sort(columns)


def products(queries: np.ndarray, images: np.ndarray, rows: int, columns: int, threads: int) -> None:
    """Multiply by blocks; with one thread, the BLAS uses its own."""
    gallery = np.asarray(images)

    def multiply(start: int) -> None:
        some = queries[start : start + rows]
        buffer = np.empty(len(some) * columns, dtype=np.float32)
        for first in range(0, len(gallery), columns):
            block = gallery[first : first + columns]
            out = buffer[: len(some) * len(block)].reshape(len(some), len(block))
            np.matmul(some, block.T, out=out)

    with threadpool_limits(1 if threads > 1 else None, "blas"), ThreadPoolExecutor(threads) as pool:
        list(pool.map(multiply, range(0, len(queries), rows)))


def anonymous_gib() -> float:
    """Return the memory of this process that is not a mapped file."""
    fields = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(fields["RssAnon"].split()[0]) / 2**20


class Peak:
    """The largest memory beyond what was held at the start, sampled while the block runs."""

    def __enter__(self) -> Self:
        self._start, self.gib, self._done = anonymous_gib(), 0.0, threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def _watch(self) -> None:
        while not self._done.wait(0.02):
            self.gib = max(self.gib, anonymous_gib() - self._start)

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()


def exact(images: np.ndarray, n_queries: int) -> list[Row]:
    """Return the rows of exact retrieval."""
    part = f"exact ranking of {len(images):,} images for {n_queries:,} queries, {DIM} dimensions"
    queries, columns = near(images, n_queries)
    threads = os.cpu_count() or 1
    turn = 4 * QUERY_BLOCK * threads
    spent, most = np.zeros(3), 0.0
    kept: list[Ranking] = []
    products(queries[:turn], images, QUERY_BLOCK, IMAGE_BLOCK, threads)  # reads the file
    for start in range(0, n_queries, turn):
        some, its_columns = queries[start : start + turn], columns[start : start + turn]
        spent[0] += seconds(lambda: products(some, images, QUERY_BLOCK, IMAGE_BLOCK, threads))  # noqa: B023
        with Peak() as peak:
            pairs = np.arange(len(some)), its_columns
            spent[1] += seconds(lambda: kept.extend(rank_gallery(some, images, *pairs, DEPTH)))  # noqa: B023
        spent[2] += seconds(lambda: products(some, images, 2 * QUERY_BLOCK, 2 * IMAGE_BLOCK, 1))  # noqa: B023
        most = max(most, peak.gib)
    ranks = np.concatenate([found.pair_ranks for found in kept])
    quartiles = ", ".join(f"{rank:,.0f}" for rank in np.quantile(ranks, [0.25, 0.5, 0.75]))
    print(f"quartiles of the ranks: {quartiles}", flush=True)
    base = reference(part, "matrix products alone", spent[0])
    ours = at_most(against(base, "ranks, first 100, best irrelevant image", spent[1], most), MAX_RATIO)
    return [
        base,
        ours._replace(asked=f"{ours.asked}, {MAX_GIB:g} GiB", held=ours.held and most <= MAX_GIB),
        against(base, "matrix products alone, larger blocks", spent[2]),
    ]


def one_by_one(ask: Callable[[np.ndarray], object], queries: np.ndarray) -> float:
    """Return the median time of a query alone."""
    return float(np.median([seconds(lambda: ask(queries[i : i + 1])) for i in range(len(queries))]))  # noqa: B023


def indexes(images: np.ndarray) -> Iterator[Row]:
    """Yield for each kind of index its build time, and its time for one query with its recall."""
    images = np.ascontiguousarray(images)
    part = f"first {DEPTH} of {len(images):,} images for one query"
    queries, _ = near(images, ASKED)
    ranking = np.concatenate([found.columns for found in rank_gallery(queries, images, NONE, NONE, DEPTH)])
    alone = one_by_one(lambda query: top_k(next(score_blocks(query, images))[1], DEPTH), queries[:20])
    base = reference(part, "exact", alone)
    yield base
    for kind in ("ivf", "ivfpq", "hnsw"):
        start = time.perf_counter()
        index = Index.build(kind, images)
        took = time.perf_counter() - start
        columns, _ = index.search(queries, ImageVectors(images), DEPTH)
        shares = recalls(columns, ranking, [1, 10, DEPTH]).mean(axis=0)
        recall = ", ".join(f"recall@{k} {value:.3f}" for k, value in zip((1, 10, DEPTH), shares, strict=True))

        each = one_by_one(lambda query: index.search(query, ImageVectors(images), DEPTH), queries[:200])  # noqa: B023
        yield against(base, f"{kind}: {recall}", each)
        yield against(base, f"{kind}: building it, once a model", took)


def peers() -> Iterator[Row]:
    """Yield the time of ranks by code of other projects, and of ours with rankings on top."""
    import torch
    from clip_benchmark.metrics.zeroshot_retrieval import batchify, recall_at_k
    from open_clip_train.train import get_clip_metrics

    images = spread(PEERS, np.random.default_rng(0))
    queries, _ = near(images, PEERS)
    diagonal = np.arange(PEERS)
    left, right = torch.from_numpy(images), torch.from_numpy(queries)

    def clip_benchmark() -> None:
        scores = right @ left.t()
        positive = torch.eye(PEERS, dtype=torch.bool)
        for k in (1, 5, 10):
            batchify(recall_at_k, scores, positive, 64, "cpu", k=k)

    taken = interleaved(
        {
            "ranks, first 100, best irrelevant image": lambda: list(
                rank_gallery(queries, images, diagonal, diagonal, DEPTH)
            ),
            "open_clip's ranks, both directions": lambda: get_clip_metrics(left, right, torch.tensor(1.0)),
            "CLIP_benchmark's recall at 1, 5 and 10": clip_benchmark,
        },
        rounds=3,
    )
    (name, ours), *others = taken.items()
    base = reference(f"ranks of {PEERS:,} images for as many queries, one relevant each", name, ours)
    yield base
    for name, time_ in others:
        yield against(base, name, time_)


def rows(n_images: int = 1_000_000, n_queries: int = 10_000, only: str | None = None) -> Iterator[Row]:
    """Yield the rows of the table, or those that ``only`` names."""
    with tempfile.TemporaryDirectory() as folder:
        images = write_gallery(Path(folder, "images.npy"), n_images)
        if only in (None, "exact"):
            yield from exact(images, n_queries)
        if only in (None, "index"):
            yield from indexes(images[: n_images // SHARE])
        if only in (None, "peers"):
            yield from peers()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.retrieval")
    parser.add_argument("--images", type=int, default=1_000_000)
    parser.add_argument("--queries", type=int, default=10_000)
    parser.add_argument("--only", choices=["exact", "index", "peers"])
    options = parser.parse_args()
    require(report(rows(options.images, options.queries, options.only)))


if __name__ == "__main__":
    main()
