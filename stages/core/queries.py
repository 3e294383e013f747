"""Texts become queries: what counts as the same text, and which images answer it."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import NamedTuple


class Query(NamedTuple):
    """A text to search for and the images that carry it."""

    query_id: str
    text: str
    relevant: tuple[str, ...]


def normalise_text(text: str) -> str:
    """Return ``text`` on one line: NFKC, format and control characters dropped, blanks collapsed."""
    composed = unicodedata.normalize("NFKC", text)
    spaced = "".join(_plain(char) for char in composed)
    return re.sub(r"\s+", " ", spaced).strip()


def _plain(char: str) -> str:
    category = unicodedata.category(char)
    if category == "Cc" or category in ("Zl", "Zp"):
        return " "
    return "" if category in ("Cf", "Cs", "Co", "Cn") else char


def query_id(text: str) -> str:
    """Return the identity of a normalised text: ``q`` and 12 hex digits of its lower case's SHA-256."""
    return "q" + hashlib.sha256(text.lower().encode("utf-8")).hexdigest()[:12]


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
