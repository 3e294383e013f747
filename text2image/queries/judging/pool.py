"""What is to be judged: for each query the top of every system's ranking and the images counted as relevant.

Source: Spärck Jones and van Rijsbergen, Report on the Need for and Provision of an "Ideal" Information
Retrieval Test Collection, 1975 (pooling, as TREC does it).
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

Pair = tuple[str, str]
"""``(query_id, image_id)``"""


class PooledQuery(NamedTuple):
    """A query and the images to be judged for it."""

    query_id: str
    text: str
    images: tuple[str, ...]


class Progress(NamedTuple):
    """How far one judge has come."""

    queries_done: int
    queries: int
    images_done: int
    images: int

    def __str__(self) -> str:
        return f"{self.queries_done:,} of {self.queries:,} queries, {self.images_done:,} of {self.images:,} images"


def pool(
    queries: Mapping[str, str],
    counted_relevant: Sequence[Mapping[str, Iterable[str]]],
    runs: Sequence[Mapping[str, Sequence[tuple[str, float]]]],
    depth: int,
) -> list[PooledQuery]:
    """Return the pool of every query, in the order of ``queries``.

    Images stand in the order of their ids, which gives away neither rank nor label to the judge.

    Args:
        queries: ``{query_id: text}`` of the queries that are asked.
        counted_relevant: each ``{query_id: image_ids}``, as labels or qrels have it.
        runs: of each system, ``{query_id: [(image_id, score), …]}``, best first.
        depth: how many images of each ranking are pooled.
    """
    pooled = []
    for query_id, text in queries.items():
        images = {image_id for relevant in counted_relevant for image_id in relevant.get(query_id, ())}
        images |= {image_id for run in runs for image_id, _ in run.get(query_id, ())[:depth]}
        pooled.append(PooledQuery(query_id, text, tuple(sorted(images))))
    return pooled


def most_suspicious_first(pooled: Iterable[PooledQuery], suspicion: Mapping[str, float]) -> list[PooledQuery]:
    """Put the queries with a ``suspicion`` first, the highest at the front; the others keep their order."""
    return sorted(pooled, key=lambda query: -suspicion.get(query.query_id, float("-inf")))


def unjudged(query: PooledQuery, judged: Mapping[Pair, int]) -> list[str]:
    """Return the images of a query that have no grade, in order."""
    return [image_id for image_id in query.images if (query.query_id, image_id) not in judged]


def progress(pooled: Iterable[PooledQuery], judged: Mapping[Pair, int]) -> Progress:
    """Count the queries without unjudged images, and the images, of which one counts once for each query."""
    counts = [(len(query.images), len(unjudged(query, judged))) for query in pooled]
    images = sum(count for count, _ in counts)
    return Progress(
        queries_done=sum(left == 0 for _, left in counts),
        queries=len(counts),
        images_done=images - sum(left for _, left in counts),
        images=images,
    )
