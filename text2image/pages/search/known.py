"""What the pipeline knows of queries and images besides their scores, read once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from text2image.artifacts import ARTIFACTS
from text2image.base.console import InputError
from text2image.formats.tables import read_csv
from text2image.formats.texts import normalise_text, query_id
from text2image.formats.trec import read_qrels, read_queries
from text2image.queries.judgements import JudgementRow
from text2image.queries.query import make_queries
from text2image.queries.relevance import near_duplicates_of

SEARCH = "search"
"""The source of judgements of texts that no label source asks. They are kept, and count for no score."""


class Label(NamedTuple):
    """What a source says of an image; the confidence as its file writes it, "" for none."""

    source: str
    text: str
    confidence: str


class File(NamedTuple):
    """The first file of an image, its path relative to data.images, and what the catalog says of it."""

    path: str
    width: int
    height: int
    format: str


class Asked(NamedTuple):
    """A query of a label source.

    Attributes:
        source: the label source.
        text: the query as the source writes it.
        held: ``{image_id: grade}`` of the images held relevant.
        labelled: the images that carry the text.
        left_out: why it is not searched for; None if it is.
    """

    source: str
    text: str
    held: dict[str, int]
    labelled: frozenset[str]
    left_out: str | None


class Known:
    """Labels, queries, relevance and near-duplicates of the gallery.

    Raises:
        InputError: a table is missing or damaged; ``dvc repro`` makes it.
    """

    def __init__(self, sources: Sequence[str]) -> None:
        self.sources = list(sources)
        self.labels: dict[str, list[Label]] = defaultdict(list)
        self._asked: dict[str, list[Asked]] = defaultdict(list)
        for source in sources:
            self._read_source(source)
        self.files: dict[str, File] = {}
        group_of: dict[str, int] = {}
        for row in sorted(
            read_csv(ARTIFACTS.catalog, ["path", "image_id", "width", "height", "format", "near_group"]),
            key=lambda row: row["path"],
        ):
            file = File(row["path"], int(row["width"]), int(row["height"]), row["format"])
            self.files.setdefault(row["image_id"], file)
            group_of[row["image_id"]] = int(row["near_group"])
        self._near = near_duplicates_of(group_of)

    def _read_source(self, source: str) -> None:
        qrels, left_out = Path(f"data/qrels/{source}.qrels"), Path(f"data/qrels/{source}_left_out.csv")
        queries = Path(f"data/queries/{source}.tsv")
        for path in (qrels, queries):
            if not path.is_file():
                raise InputError(f"expected {path}, found no such file; run `dvc repro`")
        rows = read_csv(Path(f"data/labels/{source}.csv"), ["image_id", "text", "confidence"])
        for row in rows:
            self.labels[row["image_id"]].append(Label(source, row["text"], row["confidence"]))
        held, texts = read_qrels(qrels), read_queries(queries)
        reasons = {row["query_id"]: row["reason"] for row in read_csv(left_out, ["query_id", "reason"])}
        for query in make_queries((row["image_id"], row["text"]) for row in rows):
            key = query.query_id
            asked = Asked(
                source,
                texts.get(key, query.text),
                held.get(key, {}),
                frozenset(query.relevant),
                reasons.get(key),
            )
            self._asked[key].append(asked)

    def asked(self, text: str) -> list[Asked]:
        """Return the queries that a text is, one a source; none for a text that nobody asks."""
        return self._asked.get(query_id(normalise_text(text)), [])

    def alike(self, image_id: str) -> list[str]:
        """Return the other images of an image's near-duplicate group."""
        return [other for other in self._near[image_id] if other != image_id]

    def examples(self, count: int) -> list[str]:
        """Return some queries that are searched for, of all sources in turn, spread over each one's list."""
        by_source: dict[str, list[str]] = {source: [] for source in self.sources}
        for queries in self._asked.values():
            for query in queries:
                if query.held:
                    by_source[query.source].append(query.text)
        share = max(1, -(-count // len(by_source)))
        spread = [texts[:: max(1, len(texts) // share)][:share] for texts in map(sorted, by_source.values())]
        turns = [texts[turn] for turn in range(share) for texts in spread if turn < len(texts)]
        return list(dict.fromkeys(turns))[:count]


def judgements_of(text: str, rows: Iterable[JudgementRow]) -> dict[str, list[JudgementRow]]:
    """Return what was judged for a text, by image: of each judge and source the last word."""
    key = query_id(normalise_text(text))
    last = {(row.image_id, row.source, row.by): row for row in rows if query_id(row.query) == key}
    found: dict[str, list[JudgementRow]] = defaultdict(list)
    for row in last.values():
        found[row.image_id].append(row)
    return dict(found)


def new_rows(text: str, image_id: str, relevance: int, by: str, asked: Sequence[Asked]) -> list[JudgementRow]:
    """Return the judgement of an image for a text: a row for each source that asks it, or one of ``search``."""
    queries = [(query.source, query.text) for query in asked] or [(SEARCH, normalise_text(text))]
    return [JudgementRow(source, query, image_id, relevance, by, "") for source, query in queries]
