"""Queries, relevance and rankings as TREC files, which other tools read as they are."""

from collections import defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from text2image.base.arrays import Vectors
from text2image.formats.files import write_text
from text2image.formats.tables import guard, unguard
from text2image.formats.texts import Query

Qrels = dict[str, dict[str, int]]
"""``{query_id: {image_id: relevance}}``"""

Run = dict[str, list[tuple[str, float]]]
"""``{query_id: [(image_id, score), …]}``, best first"""


def write_queries(path: Path, queries: Sequence[Query]) -> None:
    """Write the queries as ``query_id <tab> text``."""
    write_text(path, "".join(f"{query.query_id}\t{guard(query.text)}\n" for query in queries))


def write_qrels(path: Path, relevance: Mapping[str, Mapping[str, int]]) -> None:
    """Write ``{query_id: {image_id: relevance}}`` as TREC qrels, images in the order of their ids."""
    lines = [
        f"{query} 0 {image} {grade}\n"
        for query, images in relevance.items()
        for image, grade in sorted(images.items())
    ]
    write_text(path, "".join(lines))


def read_queries(path: Path) -> dict[str, str]:
    """Read data/queries/SOURCE.tsv as ``{query_id: text}`` in the file's order."""
    lines = path.read_text(encoding="utf-8").split("\n")
    rows = (line.split("\t", 1) for line in lines if line)
    return {query: unguard(text) for query, text in rows}


def read_qrels(path: Path) -> Qrels:
    """Read TREC qrels, relevant images only."""
    qrels: Qrels = defaultdict(dict)
    for line in path.read_text(encoding="utf-8").splitlines():
        query, _, image, relevance = line.split()
        if int(relevance) > 0:
            qrels[query][image] = int(relevance)
    return dict(qrels)


def run_lines(query_id: str, image_ids: Sequence[str], scores: Vectors, system: str) -> Iterable[str]:
    """Yield the TREC run lines of one ranking, best first.

    Tools such as trec_eval sort by score and break ties in an order of their own, so equal scores
    are written one float32 step apart: the file's scores fall strictly in the order of its ranks.
    """
    written = np.array(scores, dtype=np.float32)
    if (written[1:] >= written[:-1]).any():
        for place in range(1, len(written)):
            written[place] = min(written[place], np.nextafter(written[place - 1], np.float32(-np.inf)))
    for rank, (image_id, score) in enumerate(zip(image_ids, written.tolist(), strict=True), start=1):
        yield f"{query_id} Q0 {image_id} {rank} {score:.9g} {system}\n"


def read_run(path: Path, *, depth: int | None = None, queries: Container[str] | None = None) -> Run:
    """Read a TREC run.

    Args:
        path: data/runs/SYSTEM/SOURCE.run.
        depth: the first so many images of each query; None for all.
        queries: the ids of those that are wanted; None for all.
    """
    run: Run = {}
    ranking: list[tuple[str, float]] = []
    start, wanted = "\n", True
    with path.open(encoding="utf-8") as file:
        for line in file:  # there may be a million: those that are not wanted are not taken apart
            if not line.startswith(start):
                query = line.partition(" ")[0]
                start, wanted = f"{query} ", queries is None or query in queries
                ranking = run.setdefault(query, []) if wanted else []
            if wanted and len(ranking) != depth:
                _, _, image, _, score, _ = line.split()
                ranking.append((image, float(score)))
    return run
