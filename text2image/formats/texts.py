"""What counts as the same text: its normal form and its identity."""

import hashlib
import re
import unicodedata
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
    if category in ("Cc", "Zl", "Zp"):
        return " "
    return "" if category.startswith("C") else char


def query_id(text: str) -> str:
    """Return the identity of a normalised text: ``q`` and 12 hex digits of its lower case's SHA-256."""
    return "q" + hashlib.sha256(text.lower().encode("utf-8")).hexdigest()[:12]
