"""Queries of labels: each text with the images that carry it."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path

from text2image.formats.kinds import join_kinds, split_kinds
from text2image.formats.tables import read_csv
from text2image.formats.texts import Query, normalise_text, query_id


def make_queries(labels: Iterable[tuple[str, str]]) -> list[Query]:
    """Group ``(image_id, text)`` pairs into queries, sorted by text.

    Texts that are equal after :func:`normalise_text` and lower-casing are one query with several
    relevant images; it is written as most of its labels write it (on a tie, the first in order).
    Labels with no visible character are left out: the caller counts them beforehand.
    """
    spellings: dict[str, Counter[str]] = defaultdict(Counter)
    images: dict[str, set[str]] = defaultdict(set)
    for image_id, raw in labels:
        text = normalise_text(raw)
        if text:
            key = query_id(text)
            spellings[key][text] += 1
            images[key].add(image_id)
    queries = [
        Query(key, min(forms, key=lambda form: (-forms[form], form)), tuple(sorted(images[key])))
        for key, forms in spellings.items()
    ]
    return sorted(queries, key=lambda query: (query.text, query.query_id))


def read_query_kinds(labels: Path) -> dict[str, str]:
    """Return ``{query_id: kinds}`` of the queries whose texts have kinds in a table of labels: those of all its labels.

    A table without the column ``kind``, as there were before there were kinds, has none.
    """
    kinds: dict[str, set[str]] = defaultdict(set)
    for row in read_csv(labels, ["text"]):
        if named := split_kinds(row.get("kind", "")):
            kinds[query_id(normalise_text(row["text"]))].update(named)
    return {key: join_kinds(of_query) for key, of_query in kinds.items()}


def read_label_queries(labels: Path) -> list[Query]:
    """Return the queries that a table of labels makes, each with the images that carry its text."""
    return make_queries((row["image_id"], row["text"]) for row in read_csv(labels, ["image_id", "text"]))
