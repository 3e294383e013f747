"""What the search of one system and source gives: lines of a TREC run, and the exact ranks behind all measures.

For every query the table of ranks holds, over all images searched, each relevant image and, with relevance 0, the best
irrelevant one.
"""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from text2image.base.arrays import Integers, Vectors
from text2image.base.console import InputError
from text2image.formats.trec import Qrels, Run, run_lines
from text2image.retrieval.gallery import Ranking

SHOWN = 5
"""Images of a ranking that are explained, and as many of the relevant ones."""


class Pairs(NamedTuple):
    """Relevant pairs sorted by query row: rows of the query matrix, columns of the gallery, grades."""

    rows: Integers
    columns: Integers
    relevance: Integers


class RankRow(NamedTuple):
    """A row of data/ranks/SYSTEM/SOURCE.csv; the score, which no two kinds of system give alike, has six decimals."""

    query_id: str
    text: str
    image_id: str
    relevance: int
    rank: int
    score: str


def asked_queries(
    texts: Mapping[str, str], qrels: Container[str], vectors: Vectors
) -> tuple[dict[str, str], Vectors]:
    """Return those queries that are keys of ``qrels``, ``{query_id: text}``, and their vectors.

    Args:
        texts: ``{query_id: text}`` of all queries.
        qrels: what relevance is known of.
        vectors: a row for each of ``texts``, in that order.
    """
    rows = [row for row, query_id in enumerate(texts) if query_id in qrels]
    return {query_id: text for query_id, text in texts.items() if query_id in qrels}, vectors[rows]


def relevant_pairs(query_ids: Iterable[str], image_ids: Sequence[str], qrels: Qrels) -> Pairs:
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


def rank_queries(
    system: str,
    texts: Mapping[str, str],
    image_ids: Sequence[str],
    pairs: Pairs,
    rankings: Iterable[Ranking],
) -> Iterator[tuple[list[str], list[RankRow]]]:
    """Yield, a block of queries at a time, the lines of their run and the rows of their ranks.

    Args:
        system: the name that the run's lines bear.
        texts: ``{query_id: text}`` of the queries that are asked.
        image_ids: of the images searched, sorted, which decides ties.
        pairs: of :func:`relevant_pairs`.
        rankings: how the images rank for blocks of the queries, for these pairs.
    """
    query_ids = list(texts)
    for ranking in rankings:
        lines: list[str] = []
        for query_id, columns, scores in zip(
            query_ids[ranking.queries], ranking.columns, ranking.scores, strict=True
        ):
            lines.extend(run_lines(query_id, [image_ids[column] for column in columns], scores, system))
        ranked = [
            RankRow(query_ids[row], texts[query_ids[row]], image_ids[column], grade, rank, f"{score:.6f}")
            for row, column, grade, rank, score in _ranked_images(ranking, pairs)
        ]
        yield lines, ranked


def explained_images(ranking: Ranking, pairs: Pairs, query: int) -> list[int]:
    """Return the columns of the images whose place is explained: the first ``SHOWN``, and as many relevant ones.

    Args:
        ranking: of the block that the query belongs to.
        pairs: of all queries.
        query: counted from the first of all.
    """
    first = ranking.columns[query - ranking.queries.start][:SHOWN].tolist()
    of_block = pairs.columns[ranking.pairs][pairs.rows[ranking.pairs] == query]
    ranks = ranking.pair_ranks[pairs.rows[ranking.pairs] == query]
    relevant = of_block[np.argsort(ranks)][:SHOWN].tolist()
    return list(dict.fromkeys([*first, *relevant]))


def _ranked_images(ranking: Ranking, pairs: Pairs) -> Iterator[tuple[int, int, int, int, float]]:
    """Yield ``(row, column, relevance, rank, score)`` of the relevant and best irrelevant images, query by query."""
    queries = np.arange(ranking.queries.start, ranking.queries.stop)
    rows, columns, grades = (part[ranking.pairs] for part in pairs)
    rows, columns = np.append(rows, queries), np.append(columns, ranking.irrelevant_columns)
    grades = np.append(grades, np.zeros_like(queries))
    ranks = np.append(ranking.pair_ranks, ranking.irrelevant_ranks)
    scores = np.append(ranking.pair_scores, ranking.irrelevant_scores)
    order = np.lexsort((columns, rows))
    order = order[columns[order] >= 0]
    yield from zip(*(part[order].tolist() for part in (rows, columns, grades, ranks, scores)), strict=True)


def run_columns(run: Run, image_ids: Sequence[str]) -> Integers:
    """Return the images of a run, equally many a query, as columns of the gallery: ``(n_queries, depth)``, best first."""
    column_of = {image_id: column for column, image_id in enumerate(image_ids)}
    return np.array([[column_of[image_id] for image_id, _ in images] for images in run.values()])
