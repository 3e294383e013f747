"""Stage ``retrieve@MODEL-SOURCE``: rank the gallery for every query.

``python -m stages.retrieve MODEL SOURCE`` writes the top of each ranking as a TREC run, and a table
with the exact rank, over the whole gallery, of every relevant image and of the best irrelevant one
(relevance 0), from which all measures follow. With an index in ``retrieve.index`` the run is what that finds,
in the order of the exact scores, and its recall against the exact ranking is measured; the ranks stay exact.
Queries that ``relevance`` left out are not asked, and images that it does not search are not ranked.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stages import run
from text2image.artifacts import ARTIFACTS
from text2image.base.console import InputError, progress
from text2image.formats.files import atomic_write, write_json
from text2image.formats.searched import Searched, read_searched
from text2image.formats.tables import write_csv
from text2image.formats.trec import read_qrels, read_queries, run_lines
from text2image.params import Params
from text2image.retrieval.approximate import recalls
from text2image.retrieval.gallery import Ranking, rank_gallery
from text2image.retrieval.nearest import ask, read

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]
Shares = npt.NDArray[np.float64]

RANK_COLUMNS = ("query_id", "text", "image_id", "relevance", "rank", "score")
RECALL_K = (1, 5, 10, 20, 50)  # and retrieve.depth


class Gallery(NamedTuple):
    """The images searched.

    ``kept`` are their rows in the whole gallery of ``total`` images, None where that is all of it.
    """

    image_ids: list[str]
    vectors: Floats
    kept: Integers | None
    total: int


class Pairs(NamedTuple):
    """Relevant pairs sorted by query row: rows of the query matrix, columns of the gallery, grades."""

    rows: Integers
    columns: Integers
    relevance: Integers


class Ranked(NamedTuple):
    """A ranked image of a query."""

    row: int
    column: int
    relevance: int
    rank: int
    score: float


def relevant_pairs(
    query_ids: Sequence[str], image_ids: Sequence[str], qrels: dict[str, dict[str, int]]
) -> Pairs:
    """Return the relevant pairs as indices.

    Raises:
        InputError: a query has no relevant image in the gallery.
    """
    column_of = {image_id: column for column, image_id in enumerate(image_ids)}
    found: list[tuple[int, int, int]] = []
    for row, query_id in enumerate(query_ids):
        relevant = qrels.get(query_id, {})
        inside = sorted((column_of[i], grade) for i, grade in relevant.items() if i in column_of)
        if not inside:
            raise InputError(
                f"expected a relevant image of the gallery for every query in data/qrels, found none for {query_id}"
            )
        found.extend((row, column, grade) for column, grade in inside)
    return Pairs(*np.array(found, dtype=np.int64).reshape(-1, 3).T)


def ranked_images(ranking: Ranking, pairs: Pairs) -> Iterator[Ranked]:
    """Yield the relevant images of a block of queries, then each query's best irrelevant one."""
    block = ranking.pairs
    for row, column, grade, rank, score in zip(
        pairs.rows[block], pairs.columns[block], pairs.relevance[block],
        ranking.pair_ranks, ranking.pair_scores, strict=True,
    ):  # fmt: skip
        yield Ranked(int(row), int(column), int(grade), int(rank), float(score))
    others = zip(ranking.other_columns, ranking.other_ranks, ranking.other_scores, strict=True)
    for row, (column, rank, score) in enumerate(others, start=ranking.queries.start):
        if column >= 0:
            yield Ranked(row, int(column), 0, int(rank), float(score))


def read_gallery(model: str, searched: Searched) -> Gallery:
    """Read one model's vectors of the images that are searched."""
    vectors = np.load(f"data/embeddings/{model}/images.npy", mmap_mode="r")
    if len(searched.rows) == len(vectors):
        return Gallery(searched.image_ids, vectors, None, len(vectors))
    return Gallery(searched.image_ids, vectors[searched.rows], searched.rows, len(vectors))


def main(params: Params, model: str, source: str) -> None:
    texts = read_queries(Path(f"data/queries/{source}.tsv"))
    qrels = read_qrels(ARTIFACTS.qrels(source))
    asked = [row for row, query_id in enumerate(texts) if query_id in qrels]
    query_ids = [query_id for query_id in texts if query_id in qrels]
    searched = read_gallery(model, read_searched(ARTIFACTS.searched))
    pairs = relevant_pairs(query_ids, searched.image_ids, qrels)
    queries = np.load(f"data/embeddings/{model}/{source}.npy")[asked]
    kind, depth, threads = params.retrieve.index, params.retrieve.depth, params.runtime.workers
    index = None if kind == "exact" else read(kind, Path(f"data/index/{model}.faiss"), searched.total)
    cut_offs = sorted({*(k for k in RECALL_K if k < depth), depth})
    ranked: list[Ranked] = []
    shares: list[Shares] = []
    with (
        atomic_write(Path(f"data/runs/{model}/{source}.run")) as temporary,
        temporary.open("w", encoding="utf-8") as out,
        progress(total=len(queries), unit="query", title=f"retrieve {model} {source}") as bar,
    ):
        for part in rank_gallery(
            queries, searched.vectors, pairs.rows, pairs.columns, depth, threads=threads
        ):
            ranked.extend(ranked_images(part, pairs))
            columns, scores = part.columns, part.scores
            if index is not None:
                columns, scores = ask(
                    kind, index, queries[part.queries], searched.vectors, depth, searched.kept, threads
                )
                shares.append(recalls(columns, part.columns, cut_offs))
            for query_id, best, its_scores in zip(query_ids[part.queries], columns, scores, strict=True):
                ids = [searched.image_ids[column] for column in best if column >= 0]
                out.writelines(run_lines(query_id, ids, its_scores[: len(ids)], model))
            bar.update(len(columns))
    rows = [
        (
            query_ids[r.row],
            texts[query_ids[r.row]],
            searched.image_ids[r.column],
            r.relevance,
            r.rank,
            f"{r.score:.6f}",
        )
        for r in sorted(ranked)
    ]
    write_csv(Path(f"data/ranks/{model}/{source}.csv"), RANK_COLUMNS, rows)
    means = np.concatenate(shares).mean(axis=0) if shares else []
    measured = {f"recall@{k}": float(mean) for k, mean in zip(cut_offs, means, strict=False)}
    about = {"n_queries": len(queries), "n_images": len(searched.image_ids)} if shares else {}
    write_json(Path(f"metrics/index/{model}-{source}.json"), about | measured)


if __name__ == "__main__":
    run(main, "model", "source")
