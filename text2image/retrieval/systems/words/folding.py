"""The words of a text as they are compared, in whatever way they are written.

Two words are the same if they differ only in

- case (full case folding of Unicode: ``Straße`` and ``STRASSE``),
- accents and other marks above and below letters, short vowels of Arabic and Hebrew included (canonical combining
  classes 10 to 36 and from 200 on; vowel signs and voicing marks are letters rather than accents and stay), and
  letters with a stroke or a ligature (``ø``, ``ł``, ``æ``),
- width and other compatibility forms (NFKC: ``ＳＡＬＥ``, half-width katakana, ``ﬁ``),
- apostrophes, hyphens that break a line (soft ones), and Arabic's lengthening stroke, which are left out,
- characters that are taken for each other where letters are read off a picture: ``i`` and ``l``; in words that hold
  both letters and digits also ``o`` and ``0``, ``l`` and ``1``, ``s`` and ``5``, ``b`` and ``8``.

What is neither letter, digit nor mark separates words. Scripts that are written without spaces are cut into
overlapping windows, of as many letters as count as a word there (:func:`text2image.formats.texts.letters_a_word`: two
of Chinese and Japanese, four of Thai, Lao, Khmer, Burmese). Hiragana and katakana, simplified and traditional
characters stay what they are.
"""

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from text2image.formats.texts import letters_a_word

CACHED = 1 << 17
APOSTROPHES = "'’ʼ‘`´′"
LEFT_OUT = str.maketrans("", "", APOSTROPHES + "\N{ARABIC TATWEEL}\N{SOFT HYPHEN}")
LOOK_ALIKES = str.maketrans("0158l", "oisbi")
STROKES = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ħ": "h", "ı": "i", "æ": "ae", "œ": "oe"})


class Word(NamedTuple):
    """A word of a text: as it is compared, and where it stands, ``text[start:end]``."""

    folded: str
    start: int
    end: int


def words(text: str) -> list[str]:
    """Return the words of a text as they are compared, in its order.

    >>> words("Crème BRÛLÉE: ½ price, 5OFT, 夏季大促")
    ['creme', 'bruiee', '1', '2', 'price', 'soft', '夏季', '季大', '大促']
    """
    return [word.folded for part in text.split() for word in _words_of_part(part)]


def words_in_place(text: str) -> Iterator[Word]:
    """Yield the words of a text and where each stands.

    >>> text = "Summer SALE!"
    >>> [(word.folded, text[word.start : word.end]) for word in words_in_place(text)]
    [('summer', 'Summer'), ('saie', 'SALE')]
    """
    for match in re.finditer(r"\S+", text):
        for folded, start, end in _words_of_part(match.group()):
            yield Word(folded, match.start() + start, match.start() + end)


@lru_cache(CACHED)
def _words_of_part(part: str) -> tuple[Word, ...]:
    """Return the words of a part of a text that holds no space."""
    compatible = unicodedata.normalize("NFKC", part)
    found = tuple(
        word
        for start, end in _stretches(compatible)
        for word in _words_of_stretch(compatible[start:end], start)
    )
    if len(compatible) == len(part):
        return found
    return tuple(
        Word(word.folded, 0, len(part)) for word in found
    )  # places are not those of the letters written


def _stretches(text: str) -> Iterator[tuple[int, int]]:
    """Yield where letters and digits of one way of writing follow each other, marks and apostrophes among them."""
    start, size = -1, 0
    for index, char in enumerate(text):
        if not char.isalnum():
            if not _is_inside_words(char) and start >= 0:
                yield start, index
                start = -1
        elif start < 0:
            start, size = index, letters_a_word(char)
        elif size != letters_a_word(char):
            yield start, index
            start, size = index, letters_a_word(char)
    if start >= 0:
        yield start, len(text)


def _words_of_stretch(text: str, start: int) -> Iterator[Word]:
    """Yield the words of a stretch that begins at ``start``: itself, or windows of an unspaced script."""
    size = letters_a_word(text[0])
    if not size:
        if folded := fold(text):
            if not folded.isdigit():
                folded = folded.translate(LOOK_ALIKES)
            yield Word(folded, start, start + len(text.rstrip(APOSTROPHES)))
        return
    letters = [index for index, char in enumerate(text) if char.isalnum()]
    ends = [*letters[1:], len(text)]
    for first in range(max(1, len(letters) - size + 1)):
        window = slice(letters[first], ends[min(first + size, len(letters)) - 1])
        yield Word(fold(text[window]), start + window.start, start + window.stop)


def _is_inside_words(char: str) -> bool:
    return char in APOSTROPHES or unicodedata.category(char)[0] == "M" or unicodedata.category(char) == "Cf"


def fold(text: str) -> str:
    """Return letters, digits and marks as they are compared; anything else is left out.

    >>> [fold(word) for word in ("STRASSE", "Straße", "L’Été", "Ёлка", "ｶﾞｲﾄﾞ", "مُحَمَّد")]
    ['strasse', 'strasse', 'lete', 'елка', 'ガイド', 'محمد']
    """
    if text.isascii():
        return "".join(filter(str.isalnum, text.lower()))
    apart = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    kept = "".join(char for char in apart.translate(LEFT_OUT) if _is_kept(char))
    return unicodedata.normalize("NFC", kept.translate(STROKES))


def _is_kept(char: str) -> bool:
    if unicodedata.category(char)[0] != "M":
        return char.isalnum()
    combining = unicodedata.combining(char)
    return combining < 10 or 36 < combining < 200
