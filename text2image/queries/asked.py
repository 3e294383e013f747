"""What is asked of a label source, and which images answer it by labels, near-duplicates and judgements.

What fine-tuned models have seen, or were chosen by, is excluded: no model is measured on it, so that all
answer the same. Of a run's split only the part that ``evaluate.part`` names (by default, test) is asked and
searched.
"""

from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from text2image.base.console import InputError
from text2image.formats.tables import as_written, read_csv
from text2image.formats.texts import Query, counted, query_id
from text2image.formats.trec import Qrels
from text2image.queries.clusters import query_clusters
from text2image.queries.judgements import JudgementRow, is_person
from text2image.queries.relevance import LeftOut, judge_queries, near_duplicates_of
from text2image.queries.settings import Queries
from text2image.queries.split import SplitRow

EXCLUDED = "excluded (fine-tuning data)"
"""Why a query is left out that a fine-tuned model in use may have seen, or whose images it may have seen."""


class ExcludedRow(NamedTuple):
    """A row of data/qrels/excluded.csv: an image or query (``kind``) of the part ``part`` of the run ``run``."""

    kind: str
    id: str
    run: str
    part: str


class LeftOutSource(NamedTuple):
    """A row of data/qrels/left_out_sources.csv: a source of which nothing is asked, and why."""

    source: str
    reason: str


class ClusterRow(NamedTuple):
    """A row of data/qrels/SOURCE_clusters.csv: queries of one cluster are about the same images, so not independent."""

    query_id: str
    cluster: int


class Asked(NamedTuple):
    """The queries of a source: all that its labels make, the relevance of those that are asked, and the others."""

    queries: list[Query]
    relevance: Qrels
    left_out: list[LeftOut]


def grades_of(source: str, rows: Iterable[JudgementRow]) -> dict[str, dict[str, int]]:
    """Return ``{query_id: {image_id: grade}}`` of one source; people's grades override models'."""
    grades: dict[str, dict[str, int]] = defaultdict(dict)
    for row in sorted(rows, key=lambda row: is_person(row.by)):
        if row.source == source:
            grades[query_id(row.query)][row.image_id] = row.relevance
    return grades


def ask(
    source: str,
    queries: list[Query],
    judgements: Iterable[JudgementRow],
    group_of: Mapping[str, int],
    settings: Queries,
) -> Asked:
    """Apply the rules of ``settings`` to the queries of a source.

    Args:
        judgements: of all sources.
        group_of: ``{image_id: near-duplicate group}`` of the whole gallery.
    """
    strict = settings.relevance == "strict"
    same = {image: [image] for image in group_of} if strict else near_duplicates_of(group_of)
    relevance, left_out = judge_queries(
        queries,
        same,
        grades_of(source, judgements),
        max_relevant_share=settings.max_relevant_share,
        generic_words=settings.generic_words,
    )
    return Asked(queries, relevance, left_out)


def cluster_rows(relevance: Qrels, group_of: Mapping[str, int]) -> list[ClusterRow]:
    """Return the cluster of each query that is asked: queries that share a near-duplicate group, directly or not.

    Args:
        relevance: ``{query_id: {image_id: grade}}``.
        group_of: ``{image_id: near-duplicate group}``.
    """
    pairs = [(row, group_of[image]) for row, images in enumerate(relevance.values()) for image in images]
    rows, groups = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    return [
        ClusterRow(*row)
        for row in zip(relevance, query_clusters(rows, groups, len(relevance)).tolist(), strict=True)
    ]


def read_clusters(path: Path) -> dict[str, int]:
    """Read data/qrels/SOURCE_clusters.csv as ``{query_id: cluster}``."""
    rows = read_csv(path, ClusterRow._fields)
    with as_written(path, "whole numbers as cluster"):
        return {row["query_id"]: int(row["cluster"]) for row in rows}


def excluded_rows(run: str, split: Iterable[SplitRow], part: str) -> list[ExcludedRow]:
    """Return the images and queries of the parts of a run's split other than ``part``, sorted."""
    other = [row for row in split if row.part != part]
    images = {ExcludedRow("image", row.image_id, run, row.part) for row in other}
    queries = {ExcludedRow("query", row.query_id, run, row.part) for row in other if row.query_id}
    return sorted(images | queries)


def exclude(asked: Asked, images: Container[str], queries: Container[str]) -> Asked:
    """Leave out what fine-tuned models may have seen, and the queries that this leaves no image."""
    kept = {
        query: {image: grade for image, grade in grades.items() if image not in images}
        for query, grades in asked.relevance.items()
        if query not in queries
    }
    relevance = {query: grades for query, grades in kept.items() if grades}
    dropped = asked.relevance.keys() - relevance.keys()
    more = [LeftOut(q.query_id, q.text, EXCLUDED) for q in asked.queries if q.query_id in dropped]
    return Asked(asked.queries, relevance, asked.left_out + more)


def why_left_out(asked: Asked, without_label: Mapping[str, int]) -> str:
    """Say why nothing is asked of a source, which is then left out; "" if something is.

    Args:
        asked: its queries.
        without_label: how many images it gave no label, by reason.
    """
    if asked.relevance:
        return ""
    if not asked.queries:
        return f"no image has a label ({counted(without_label) or 'it gave none'})"
    reasons = Counter(item.reason for item in asked.left_out)
    return f"all {len(asked.left_out):,} queries are left out ({counted(reasons)})"


def check_some_asked(left_out: Sequence[LeftOutSource], sources: Sequence[str]) -> None:
    """Refuse a collection for which no source has a query that is asked.

    Args:
        left_out: the sources of which nothing is asked.
        sources: all that are in use.
    """
    if len(left_out) == len(sources):
        why = "; ".join(f"{row.source}: {row.reason}" for row in left_out)
        raise InputError(
            f"expected at least one query from {', '.join(sources)} (params key label.sources), found none: {why}; "
            f"add a source, or change params.yaml under label.{sources[0]} or queries"
        )


def read_left_out_sources(path: Path) -> dict[str, str]:
    """Read data/qrels/left_out_sources.csv as ``{source: why nothing is asked of it}``."""
    return {row["source"]: row["reason"] for row in read_csv(path, LeftOutSource._fields)}


def join_sources(sources: Sequence[Asked]) -> tuple[Qrels, dict[str, str]]:
    """Return the relevance of several sources together, an image's best grade for each query, and the texts.

    A text that several sources have is one query, written as the first of them writes it.
    """
    relevance: Qrels = {}
    texts: dict[str, str] = {}
    for asked in sources:
        texts = {query.query_id: query.text for query in asked.queries} | texts
        for query, images in asked.relevance.items():
            known = relevance.setdefault(query, {})
            known |= {image: max(grade, known.get(image, 0)) for image, grade in images.items()}
    return relevance, texts
