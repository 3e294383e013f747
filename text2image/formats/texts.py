"""What counts as the same text, its normal form and its identity; and what counts as a word."""

import hashlib
import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from text2image.base.console import one_line

SHOWN_REASONS = 3

UNSPACED = {
    **dict.fromkeys(("CJK", "IDEOGRAPHIC", "HIRAGANA", "KATAKANA", "BOPOMOFO"), 2),
    **dict.fromkeys(("THAI", "LAO", "KHMER", "MYANMAR"), 4),
}
"""Letters that count as one word in scripts without spaces, by the first word of a letter's name in Unicode."""

PIECE = 300
PIECES = re.compile(rf".{{1,{PIECE}}}[^\x00-\x7f]{{0,{PIECE}}}", re.DOTALL)
"""Parts of a text that are normalised one by one: the time for a thousand accents on one letter grows with their square.

The next part begins before a character of ASCII, which nothing composes with, if one comes within 300 characters.
"""


class Query(NamedTuple):
    """A text to search for and the images that carry it."""

    query_id: str
    text: str
    relevant: tuple[str, ...]


def normalise_text(text: str) -> str:
    """Return ``text`` on one line: NFKC, format and control characters dropped, blanks collapsed."""
    pieces = PIECES.findall(text) if len(text) > PIECE else [text]
    composed = "".join(unicodedata.normalize("NFKC", piece) for piece in pieces)
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


def word_ends(text: str) -> list[int]:
    """Return where the words of a text end, as indices into it: ``text[:ends[n - 1]]`` holds the first ``n``.

    Words are what white space separates. In scripts that are written without it, two letters of Chinese or Japanese and
    four of Thai, Lao, Khmer or Burmese count as a word, and a change between such a script and another ends one; vowel
    signs, punctuation and the like belong to the letter before them.
    """
    ends: list[int] = []
    # Letters that count as a word, 0 where spaces tell; and how many of them the last word still takes:
    size = room = 0
    inside = lettered = False  # after no white space; after a letter or digit of the last word
    for index, char in enumerate(text):
        if char.isspace():
            inside = lettered = False
            continue
        if not inside:
            ends.append(index)
        if char.isalnum():
            letters = letters_a_word(char)
            if lettered and (letters != size or (letters and not room)):
                ends.append(index)
                lettered = False
            if not lettered:
                size = room = letters
            lettered, room = True, room - 1
        inside, ends[-1] = True, index + 1
    return ends


def count_words(text: str) -> int:
    """Return how many words (:func:`word_ends`) with a letter or digit a text holds."""
    ends = word_ends(text)
    return sum(
        any(char.isalnum() for char in text[start:end]) for start, end in zip([0, *ends], ends, strict=False)
    )


@lru_cache(maxsize=1 << 16)
def letters_a_word(char: str) -> int:
    """Return how many letters count as a word in the script of a character, 0 if it is written with spaces."""
    return UNSPACED.get(re.split(r"[ -]", unicodedata.name(char, ""))[0], 0)
