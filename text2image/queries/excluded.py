"""What fine-tuned models have seen, or were chosen by: no model is measured on it, so that all answer the same.

Of a run's split only the part that ``evaluate.part`` names (by default, test) is asked and searched.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from text2image.formats.trec import Qrels
from text2image.queries.split import SplitRow

IMAGE, QUERY = "image", "query"


class ExcludedRow(NamedTuple):
    """A row of data/qrels/excluded.csv: an image or query (``kind``) of the part ``part`` of the run ``run``."""

    kind: str
    id: str
    run: str
    part: str


class Excluded(NamedTuple):
    """The ids of images and queries that nothing is measured on."""

    images: frozenset[str]
    queries: frozenset[str]


def excluded_rows(run: str, split: Iterable[SplitRow], part: str) -> list[ExcludedRow]:
    """Return the images and queries of the parts of a run's split other than ``part``, sorted."""
    other = [row for row in split if row.part != part]
    images = {ExcludedRow(IMAGE, row.image_id, run, row.part) for row in other}
    queries = {ExcludedRow(QUERY, row.query_id, run, row.part) for row in other if row.query_id}
    return sorted(images | queries)


def excluded_ids(rows: Iterable[ExcludedRow]) -> Excluded:
    """Return the ids that rows of data/qrels/excluded.csv name."""
    listed = list(rows)
    images, queries = (frozenset(row.id for row in listed if row.kind == kind) for kind in (IMAGE, QUERY))
    return Excluded(images, queries)


def drop_excluded(qrels: Mapping[str, Mapping[str, int]], excluded: Excluded) -> Qrels:
    """Return relevance without excluded queries and images, and without queries that this leaves no image."""
    kept = {
        query: {image: grade for image, grade in images.items() if image not in excluded.images}
        for query, images in qrels.items()
        if query not in excluded.queries
    }
    return {query: images for query, images in kept.items() if images}
