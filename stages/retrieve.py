"""Stage ``retrieve@MODEL-SOURCE``: rank the gallery for every query.

``python -m stages.retrieve MODEL SOURCE`` writes the top of each ranking as a TREC run, and a table
with the exact rank, over the whole gallery, of every relevant image and of the best irrelevant one
(relevance 0), from which all measures follow. Queries that ``relevance`` left out are not asked, and
what is set aside because a fine-tuned model may have seen it is neither asked nor ranked.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stages.core.ranking import best_excluded, ranks, score_blocks, top_k
from stages.io.console import InputError, progress, run
from stages.io.files import whole
from stages.io.locations import location
from stages.io.manifest import gallery, read_manifest
from stages.io.params import load_params
from stages.io.splits import read_set_aside, without
from stages.io.tables import read_qrels, read_queries, run_lines, write_csv

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]

RANK_COLUMNS = ("query_id", "text", "image_id", "relevance", "rank", "score")


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


def rank_block(start: int, scores: Floats, pairs: Pairs) -> Iterator[Ranked]:
    """Yield the relevant images of a block of queries, then each query's best irrelevant one."""
    block = slice(*np.searchsorted(pairs.rows, [start, start + len(scores)]))
    rows, columns, grades = pairs.rows[block] - start, pairs.columns[block], pairs.relevance[block]
    irrelevant = best_excluded(scores, rows, columns)
    below = np.flatnonzero(irrelevant >= 0)
    rows = np.concatenate([rows, below])
    columns = np.concatenate([columns, irrelevant[below]])
    grades = np.concatenate([grades, np.zeros(len(below), dtype=np.int64)])
    found = ranks(scores, rows, columns)
    for row, column, grade, rank in zip(rows, columns, grades, found, strict=True):
        yield Ranked(start + int(row), int(column), int(grade), int(rank), float(scores[row, column]))


def main() -> None:
    model, source = sys.argv[1:3]
    params = load_params()
    texts, aside = read_queries(Path(f"data/queries/{source}.tsv")), read_set_aside()
    qrels = without(read_qrels(Path(f"data/qrels/{source}.qrels")), aside)
    if not qrels:
        raise InputError(
            f"expected queries of '{source}' outside what fine-tuned models in embed.models have seen, found "
            f"none: {len(aside.queries)} queries and {len(aside.images)} images are set aside (data/set_aside.csv)"
        )
    asked = [row for row, query_id in enumerate(texts) if query_id in qrels]
    query_ids = [query_id for query_id in texts if query_id in qrels]
    everything = [image.image_id for image in gallery(read_manifest(), location(params.data.images))]
    kept = [column for column, image_id in enumerate(everything) if image_id not in aside.images]
    image_ids = [everything[column] for column in kept]
    pairs = relevant_pairs(query_ids, image_ids, qrels)
    images = np.load(f"data/embeddings/{model}/images.npy", mmap_mode="r")
    images = images if len(kept) == len(everything) else images[kept]
    queries = np.load(f"data/embeddings/{model}/{source}.npy")[asked]
    ranked: list[Ranked] = []
    title = f"retrieve {model} {source}"
    with (
        whole(Path(f"data/runs/{model}/{source}.run")) as temporary,
        temporary.open("w", encoding="utf-8") as out,
        progress(total=len(queries), unit="query", title=title) as bar,
    ):
        for block, scores in score_blocks(queries, images):
            ranked.extend(rank_block(block.start, scores, pairs))
            for row, best in enumerate(top_k(scores, params.retrieve.depth)):
                ids = [image_ids[column] for column in best]
                out.writelines(run_lines(query_ids[block.start + row], ids, scores[row, best], model))
            bar.update(len(scores))
    ranked.sort()
    rows = [
        (
            query_ids[r.row],
            texts[query_ids[r.row]],
            image_ids[r.column],
            r.relevance,
            r.rank,
            f"{r.score:.6f}",
        )
        for r in ranked
    ]
    write_csv(Path(f"data/ranks/{model}/{source}.csv"), RANK_COLUMNS, rows)


if __name__ == "__main__":
    run(main)
