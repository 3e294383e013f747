"""What counts as the same text: its normal form and its identity."""

import hashlib
import re
import unicodedata
from collections.abc import Mapping
from typing import NamedTuple

from text2image.base.console import one_line

SHOWN_REASONS = 3


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


def counted(reasons: Mapping[str, int]) -> str:
    """Return ``{reason: how many}`` as a sentence has it, the most frequent first, at most ``SHOWN_REASONS`` of them.

    >>> counted({"too blurred": 2, "too small": 40})
    '40: too small; 2: too blurred'
    """
    ordered = sorted(reasons.items(), key=lambda item: (-item[1], item[0]))
    shown = [f"{n:,}: {one_line(reason)}" for reason, n in ordered[:SHOWN_REASONS]]
    if rest := sum(n for _, n in ordered[SHOWN_REASONS:]):
        shown.append(f"{rest:,}: other reasons")
    return "; ".join(shown)
