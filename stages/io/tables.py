"""CSV and TREC files: the tables that pass between stages and to other tools."""

from __future__ import annotations

import csv
import io
import re
from collections import defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from stages.core.queries import Query
from stages.io.console import InputError, one_line
from stages.io.files import write_text

Row = dict[str, str]

FORMULA = re.compile(r"'*[=+\-@\t\r]")  # what a spreadsheet may run; the apostrophes are ours
GUARDED = re.compile(r"'+[=+\-@\t\r]")
NUMBER = re.compile(r"[+-]?\d+(\.\d*)?([eE][+-]?\d+)?")


def guard(cell: str) -> str:
    """Return a cell that is text in every spreadsheet: what could be a formula gets an apostrophe.

    :func:`unguard` takes it away again. Numbers and all other texts stay as they are.

    Source: OWASP, CSV Injection.
    """
    return f"'{cell}" if FORMULA.match(cell) and not NUMBER.fullmatch(cell) else cell


def unguard(cell: str) -> str:
    """Return what :func:`guard` was given."""
    return cell[1:] if cell.startswith("'") and GUARDED.match(cell) else cell


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a CSV with a header and ``\\n`` line ends; quotes and guards what a reader could misread."""
    out = io.StringIO(newline="")
    plain = csv.writer(out, lineterminator="\n")
    quoted = csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_ALL)
    plain.writerow(columns)
    for row in rows:
        cells = [guard(cell) if isinstance(cell, str) else cell for cell in row]
        bare_return = any(isinstance(cell, str) and "\r" in cell for cell in cells)
        (quoted if bare_return else plain).writerow(cells)
    write_text(path, out.getvalue())


def chart_text(text: str) -> str:
    """Return ``text`` for a table that ``dvc plots`` draws: DVC puts it into a page's script unescaped."""
    return text.replace("<", "‹")


def read_csv(path: Path, columns: Sequence[str], *, key: str | None = None) -> list[Row]:
    """Read a CSV that has at least ``columns``; ``key`` is the params key that named the file.

    Raises:
        InputError: no such file, not UTF-8, not CSV, a column is missing, or a row has more or
            fewer cells than the header.
    """
    where = f"{path}{f' (params key {key})' if key else ''}"
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            header = next(reader, [])
            missing = [column for column in columns if column not in header]
            if missing:
                raise InputError(
                    f"expected the columns {', '.join(columns)} in {where}, "
                    f"found {one_line(', '.join(header)) or 'an empty file'}"
                )
            rows = []
            for cells in reader:
                if not cells:
                    continue
                if len(cells) != len(header):
                    raise InputError(
                        f"expected {len(header)} cells on line {reader.line_num} of {where}, found {len(cells)}"
                    )
                rows.append(dict(zip(header, map(unguard, cells), strict=True)))
            return rows
    except FileNotFoundError:
        raise InputError(f"expected a CSV file at {where}, found no such file") from None
    except (UnicodeDecodeError, csv.Error, IsADirectoryError) as error:
        raise InputError(f"expected a UTF-8 CSV file at {where}, found: {one_line(error)}") from None


def write_queries(path: Path, queries: Sequence[Query]) -> None:
    """Write the queries as ``query_id <tab> text``."""
    write_text(path, "".join(f"{query.query_id}\t{guard(query.text)}\n" for query in queries))


def write_qrels(path: Path, relevance: Mapping[str, Mapping[str, int]]) -> None:
    """Write ``{query_id: {image_id: relevance}}`` as TREC qrels, images in the order of their ids."""
    write_text(
        path,
        "".join(
            f"{query} 0 {image} {grade}\n"
            for query, images in relevance.items()
            for image, grade in sorted(images.items())
        ),
    )


def read_queries(path: Path) -> dict[str, str]:
    """Read data/queries/SOURCE.tsv as ``{query_id: text}`` in the file's order."""
    lines = path.read_text(encoding="utf-8").split("\n")
    rows = (line.split("\t", 1) for line in lines if line)
    return {query: unguard(text) for query, text in rows}


def read_qrels(path: Path) -> dict[str, dict[str, int]]:
    """Read TREC qrels as ``{query_id: {image_id: relevance}}``, relevant images only."""
    qrels: dict[str, dict[str, int]] = defaultdict(dict)
    for line in path.read_text(encoding="utf-8").splitlines():
        query, _, image, relevance = line.split()
        if int(relevance) > 0:
            qrels[query][image] = int(relevance)
    return dict(qrels)


def run_lines(
    query_id: str, image_ids: Sequence[str], scores: npt.NDArray[np.float32], model: str
) -> Iterable[str]:
    """Yield the TREC run lines of one ranking, best first.

    Tools such as trec_eval sort by score and break ties in an order of their own, so equal scores
    are written one float32 step apart: the file's scores fall strictly in the order of its ranks.
    """
    written = np.array(scores, dtype=np.float32)
    if (written[1:] >= written[:-1]).any():
        for place in range(1, len(written)):
            written[place] = min(written[place], np.nextafter(written[place - 1], np.float32(-np.inf)))
    for rank, (image_id, score) in enumerate(zip(image_ids, written.tolist(), strict=True), start=1):
        yield f"{query_id} Q0 {image_id} {rank} {score:.9g} {model}\n"


def read_run(
    path: Path, *, depth: int | None = None, queries: Container[str] | None = None
) -> dict[str, list[tuple[str, float]]]:
    """Read a TREC run as ``{query_id: [(image_id, score), …]}``, best first.

    Args:
        path: data/runs/MODEL/SOURCE.run.
        depth: the first so many images of each query; None for all.
        queries: the ids of those that are wanted; None for all.
    """
    run: dict[str, list[tuple[str, float]]] = {}
    found: list[tuple[str, float]] = []
    start, wanted = "\n", True
    with path.open(encoding="utf-8") as file:
        for line in file:  # there may be a million: those that are not wanted are not taken apart
            if not line.startswith(start):
                query = line.partition(" ")[0]
                start, wanted = f"{query} ", queries is None or query in queries
                found = run.setdefault(query, []) if wanted else []
            if wanted and len(found) != depth:
                _, _, image, _, score, _ = line.split()
                found.append((image, float(score)))
    return run
