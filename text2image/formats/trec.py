"""Queries, relevance and rankings as TREC files, which other tools read as they are."""

from collections import defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from math import isfinite
from pathlib import Path

import numpy as np

from text2image.base.arrays import Vectors
from text2image.base.console import InputError, one_line
from text2image.formats.files import write_text
from text2image.formats.tables import as_written, guard, unguard
from text2image.formats.texts import Query

Qrels = dict[str, dict[str, int]]
"""``{query_id: {image_id: relevance}}``"""

Run = dict[str, list[tuple[str, float]]]
"""``{query_id: [(image_id, score), …]}``, best first"""

HIGHEST = 2**31 - 1
"""The largest grade that TREC's tools read."""


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
    """Read data/queries/SOURCE.tsv as ``{query_id: text}`` in the file's order.

    Raises:
        InputError: there is no such file, or it is not what :func:`write_queries` wrote.
    """
    with as_written(path, "UTF-8 text"):
        lines = path.read_text(encoding="utf-8").split("\n")
    texts = {}
    for number, line in enumerate(lines, start=1):
        if not line:
            continue
        query, tab, text = line.partition("\t")
        if not tab:
            raise _malformed(path, "query_id <tab> text", number, line)
        texts[query] = unguard(text)
    return texts


def read_qrels(path: Path) -> Qrels:
    """Read TREC qrels, relevant images only.

    Raises:
        InputError: there is no such file, or a line is none of qrels: its relevance is no whole number, say.
    """
    qrels: Qrels = defaultdict(dict)
    with as_written(path, "UTF-8 text"):
        lines = path.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines, start=1):
        try:
            query, _, image, relevance = line.split()
            grade = int(relevance)
            if abs(grade) > HIGHEST:
                raise ValueError
        except ValueError:
            raise _malformed(path, "query_id 0 image_id relevance", number, line) from None
        if grade > 0:
            qrels[query][image] = grade
    return dict(qrels)


def _malformed(path: Path, form: str, number: int, line: str) -> InputError:
    return InputError(
        f"expected `{form}` on each line of {path}, found '{one_line(line.rstrip(), 80)}' on line {number}; run `dvc repro`, which makes it again"
    )


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

    Raises:
        InputError: there is no such file, or a line that is wanted is none of a run: its score is no finite number, say.
    """
    run: Run = {}
    ranking: list[tuple[str, float]] = []
    start, wanted = "\n", True
    with as_written(path, "UTF-8 text"), path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):  # perhaps a million: what is not wanted is not taken apart
            if not line.startswith(start):
                query = line.partition(" ")[0]
                start, wanted = f"{query} ", queries is None or query in queries
                ranking = run.setdefault(query, []) if wanted else []
            if wanted and len(ranking) != depth:
                try:
                    _, _, image, _, score, _ = line.split()
                    if not isfinite(value := float(score)):
                        raise ValueError
                    ranking.append((image, value))
                except ValueError:
                    form = "query_id Q0 image_id rank score system"
                    raise _malformed(path, form, number, line) from None
    return run
