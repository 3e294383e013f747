"""What the search of one model and source gives: lines of a TREC run, and the exact ranks behind all measures.

For every query the table of ranks holds, over all images searched, each relevant image and, with relevance 0, the best
irrelevant one.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from text2image.base.arrays import Integers, Vectors
from text2image.base.console import InputError
from text2image.formats.searched import Searched
from text2image.formats.trec import run_lines
from text2image.retrieval.gallery import Ranking, rank_gallery


class Asked(NamedTuple):
    """The queries that are asked: ids, texts and ``(n_queries, dim)`` float32 unit rows, in one order."""

    query_ids: list[str]
    texts: list[str]
    vectors: Vectors


class Pairs(NamedTuple):
    """Relevant pairs sorted by query row: rows of the query matrix, columns of the gallery, grades."""

    rows: Integers
    columns: Integers
    relevance: Integers


class RankedImage(NamedTuple):
    """A ranked image of a query; relevance 0 for the best irrelevant one."""

    row: int
    column: int
    relevance: int
    rank: int
    score: float


class RankRow(NamedTuple):
    """A row of data/ranks/MODEL/SOURCE.csv; the score is a cosine similarity in [-1, 1], of six decimals."""

    query_id: str
    text: str
    image_id: str
    relevance: int
    rank: int
    score: str


def searched_vectors(images: Vectors, searched: Searched) -> Vectors:
    """Return the rows of the images that are searched; where that is all of ``images``, it is not copied."""
    return images if len(searched.rows) == len(images) else images[searched.rows]


def asked_queries(texts: Mapping[str, str], qrels: Mapping[str, object], vectors: Vectors) -> Asked:
    """Return those queries that qrels hold.

    Args:
        texts: ``{query_id: text}`` of all queries.
        qrels: what relevance is known of; its keys are asked.
        vectors: a row for each of ``texts``, in that order.
    """
    rows = [row for row, query_id in enumerate(texts) if query_id in qrels]
    query_ids = [query_id for query_id in texts if query_id in qrels]
    return Asked(query_ids, [texts[query_id] for query_id in query_ids], vectors[rows])


def relevant_pairs(
    query_ids: Sequence[str], image_ids: Sequence[str], qrels: Mapping[str, Mapping[str, int]]
) -> Pairs:
    """Return the relevant pairs as indices.

    Raises:
        InputError: a query has no relevant image in the gallery.
    """
    column_of = {image_id: column for column, image_id in enumerate(image_ids)}
    pairs: list[tuple[int, int, int]] = []
    for row, query_id in enumerate(query_ids):
        relevant = qrels.get(query_id, {})
        inside = sorted((column_of[i], grade) for i, grade in relevant.items() if i in column_of)
        if not inside:
            raise InputError(
                f"expected a relevant image of the gallery for every query in data/qrels, found none for {query_id}"
            )
        pairs.extend((row, column, grade) for column, grade in inside)
    return Pairs(*np.array(pairs, dtype=np.int64).reshape(-1, 3).T)


def ranked_images(ranking: Ranking, pairs: Pairs) -> Iterator[RankedImage]:
    """Yield the relevant images of a block of queries, then each query's best irrelevant one."""
    block = ranking.pairs
    for row, column, grade, rank, score in zip(
        pairs.rows[block], pairs.columns[block], pairs.relevance[block],
        ranking.pair_ranks, ranking.pair_scores, strict=True,
    ):  # fmt: skip
        yield RankedImage(int(row), int(column), int(grade), int(rank), float(score))
    best = zip(ranking.irrelevant_columns, ranking.irrelevant_ranks, ranking.irrelevant_scores, strict=True)
    for row, (column, rank, score) in enumerate(best, start=ranking.queries.start):
        if column >= 0:
            yield RankedImage(row, int(column), 0, int(rank), float(score))


def rank_queries(
    model: str,
    asked: Asked,
    image_ids: Sequence[str],
    images: Vectors,
    qrels: Mapping[str, Mapping[str, int]],
    depth: int,
    threads: int | None = None,
) -> Iterator[tuple[list[str], list[RankRow]]]:
    """Yield, a block of queries at a time, the lines of their run and the rows of their ranks.

    Args:
        model: the name that the run's lines bear.
        asked: the queries.
        image_ids: of the images searched, sorted, which decides ties.
        images: ``(n_images, dim)`` float32 unit rows, in that order; may be memory-mapped.
        qrels: ``{query_id: {image_id: relevance}}``.
        depth: how many images of each ranking the run holds.
        threads: None for one a core.

    Raises:
        InputError: a query has no relevant image in the gallery.
    """
    pairs = relevant_pairs(asked.query_ids, image_ids, qrels)
    for ranking in rank_gallery(asked.vectors, images, pairs.rows, pairs.columns, depth, threads=threads):
        lines: list[str] = []
        of_block = zip(asked.query_ids[ranking.queries], ranking.columns, ranking.scores, strict=True)
        for query_id, columns, scores in of_block:
            lines.extend(run_lines(query_id, [image_ids[column] for column in columns], scores, model))
        ranked = sorted(ranked_images(ranking, pairs))
        yield lines, [
            RankRow(
                asked.query_ids[image.row], asked.texts[image.row], image_ids[image.column],
                image.relevance, image.rank, f"{image.score:.6f}",
            )
            for image in ranked
        ]  # fmt: skip


def run_columns(run: Mapping[str, Sequence[tuple[str, float]]], image_ids: Sequence[str]) -> Integers:
    """Return the images of a run as columns of the gallery, ``(n_queries, depth)``, best first.

    Args:
        run: ``{query_id: [(image_id, score), …]}``, equally many images a query.
        image_ids: of the images searched.
    """
    column_of = {image_id: column for column, image_id in enumerate(image_ids)}
    return np.array([[column_of[image_id] for image_id, _ in images] for images in run.values()])
