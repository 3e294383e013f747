"""What labels, queries, relevance and the catalog say of the gallery, read once."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from text2image.artifacts import ARTIFACTS, existing
from text2image.formats.tables import WHOLE_NUMBER, Row, read_csv
from text2image.formats.texts import normalise_text, query_id
from text2image.formats.trec import read_qrels, read_queries
from text2image.queries.judgements import JudgementRow
from text2image.queries.query import make_queries
from text2image.queries.relevance import near_duplicates_of

SEARCH = "search"
"""The source of judgements of texts that no label source asks. They are kept, and count for no score."""


class ImageLabel(NamedTuple):
    """What a source says of an image; the confidence as its file writes it, "" for none."""

    source: str
    text: str
    confidence: str


class SourceQuery(NamedTuple):
    """A query of a label source.

    Attributes:
        source: the label source.
        text: the query as the source writes it.
        grades: ``{image_id: grade}`` of the images counted as relevant.
        labelled: the images that carry the text.
        left_out: why it is not searched for; None if it is.
    """

    source: str
    text: str
    grades: dict[str, int]
    labelled: frozenset[str]
    left_out: str | None


class Annotations:
    """Labels, queries, relevance, near-duplicates and the catalog's rows of the gallery.

    Raises:
        InputError: a table is missing or damaged; ``dvc repro`` makes it.
    """

    def __init__(self, sources: Sequence[str]) -> None:
        self.sources = list(sources)
        self.labels: dict[str, list[ImageLabel]] = defaultdict(list)
        self._queries: dict[str, list[SourceQuery]] = defaultdict(list)
        for source in sources:
            self._read_source(source)
        self.files: dict[str, Row] = {}
        group_of: dict[str, int] = {}
        columns = ["path", "image_id", "width", "height", "format", "near_group"]
        rows = read_csv(ARTIFACTS.catalog, columns, numbers={"near_group": WHOLE_NUMBER})
        for row in sorted(rows, key=lambda row: row["path"]):
            self.files.setdefault(row["image_id"], row)
            group_of[row["image_id"]] = int(row["near_group"])
        self._near = near_duplicates_of(group_of)

    def _read_source(self, source: str) -> None:
        relevance = read_qrels(existing(ARTIFACTS.qrels(source)))
        texts = read_queries(existing(ARTIFACTS.queries(source)))
        rows = read_csv(ARTIFACTS.labels(source), ["image_id", "text", "confidence"])
        for row in rows:
            label = ImageLabel(source, row["text"], row["confidence"])
            self.labels[row["image_id"]].append(label)
        left_out = read_csv(ARTIFACTS.left_out(source), ["query_id", "reason"])
        reasons = {row["query_id"]: row["reason"] for row in left_out}
        for query in make_queries((row["image_id"], row["text"]) for row in rows):
            key = query.query_id
            text, grades = texts.get(key, query.text), relevance.get(key, {})
            self._queries[key].append(
                SourceQuery(source, text, grades, frozenset(query.relevant), reasons.get(key))
            )

    def queries_of(self, text: str) -> list[SourceQuery]:
        """Return the queries that a text is, one a source; none for a text that no source asks."""
        return self._queries.get(query_id(normalise_text(text)), [])

    def near_duplicates(self, image_id: str) -> list[str]:
        """Return the other images of an image's near-duplicate group."""
        return [other for other in self._near[image_id] if other != image_id]

    def examples(self, count: int) -> list[str]:
        """Return some queries that are searched for, of all sources in turn, spread over each one's list."""
        by_source: dict[str, list[str]] = {source: [] for source in self.sources}
        for queries in self._queries.values():
            for query in queries:
                if query.grades:
                    by_source[query.source].append(query.text)
        share = max(1, -(-count // len(by_source)))
        spread = [texts[:: max(1, len(texts) // share)][:share] for texts in map(sorted, by_source.values())]
        turns = [texts[turn] for turn in range(share) for texts in spread if turn < len(texts)]
        return list(dict.fromkeys(turns))[:count]


def judgements_of(text: str, rows: Iterable[JudgementRow]) -> dict[str, list[JudgementRow]]:
    """Return what was judged for a text, by image: of each judge and source the last word."""
    key = query_id(normalise_text(text))
    last = {(row.image_id, row.source, row.by): row for row in rows if query_id(row.query) == key}
    by_image: dict[str, list[JudgementRow]] = defaultdict(list)
    for row in last.values():
        by_image[row.image_id].append(row)
    return dict(by_image)


def new_judgements(
    text: str, image_id: str, relevance: int, by: str, queries: Sequence[SourceQuery]
) -> list[JudgementRow]:
    """Return the judgement of an image for a text: a row for each source that asks it, or one of ``search``."""
    kept_under = [(query.source, query.text) for query in queries] or [(SEARCH, normalise_text(text))]
    return [JudgementRow(source, query, image_id, relevance, by, "") for source, query in kept_under]
