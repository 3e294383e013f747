"""Which words of a vocabulary may be the word that somebody asks for: misread, inflected, or run together with others.

``likeness(asked, word) = |A ∩ B| / |A|``, where A and B are the distinct n-grams (:mod:`.grams`) of the word asked for
and of the other one: the share of the one that is found in the other. ``SUMNER`` is ``summer`` by 0.5, ``SUMMERSALE`` is
``summer`` by 0.83 and ``sale`` by 0.75. A word that is less alike than ``LEAST`` does not count, nor, for a word asked for
of fewer than five letters, one that is less alike than ``LEAST_OF_SHORT``, or ``store`` would be ``more``; words of fewer than
``EXACT_BELOW`` letters count only if they are the same.

The measure and the bounds were chosen on 377 photographs of groceries, searched by 66 products' names in what OCR
read on them, and on phrases of their descriptions with letters misread, left out, put in and spaces lost, at rates of
0, 5 and 12 % (two seeds), by the mean reciprocal rank of BM25: 0.24, 0.80, 0.68 and 0.56 without likeness, 0.25,
0.84, 0.80 and 0.71 with it. Cosines of n-grams were level on the photographs and worse by 0.03 and more on phrases; a
``LEAST`` of 0.55 was worse by 0.01 on average.
"""

from collections.abc import Mapping
from functools import lru_cache

import numpy as np
from scipy.sparse import csr_array

from text2image.base.arrays import Floats, Integers
from text2image.formats.texts import letters_a_word
from text2image.retrieval.systems.words.grams import Grams, distinct_grams
from text2image.retrieval.systems.words.inverted import inverted_lists

LEAST = 0.5
LEAST_OF_SHORT = 0.55
SHORT = 5  # letters from which a word is not short
EXACT_BELOW = 3

CACHED = 1 << 12  # words asked for, each with perhaps a thousand words alike in a large vocabulary: 16 KB


def likeness(asked: str, word: str) -> float:
    """Return how alike two words are, 0 if that does not count.

    >>> likeness("summer", "summer"), round(likeness("summer", "summersaie"), 2), likeness("summer", "winter")
    (1.0, 0.83, 0.0)
    """
    if asked == word or is_part(asked, word):
        return 1.0
    if len(asked) < EXACT_BELOW:
        return 0.0
    own = _grams(asked)
    share = len(own & _grams(word)) / len(own)
    return share if share >= _least(asked) else 0.0


def _least(asked: str) -> float:
    return LEAST if len(asked) >= SHORT else LEAST_OF_SHORT


def is_part(asked: str, word: str) -> bool:
    """Say whether the word asked for is shorter than the windows of its script, and in one of them."""
    return len(asked) < letters_a_word(asked[0]) and asked in word


@lru_cache(1 << 16)
def _grams(word: str) -> frozenset[str]:
    return frozenset(distinct_grams(word))


class Vocabulary:
    """The words of the images' texts, among which others are looked for."""

    def __init__(self, numbers: Mapping[str, int], grams: Grams) -> None:
        self._numbers, self._grams = numbers, grams
        ones = np.ones(grams.counts.nnz)
        held = csr_array((ones, grams.counts.indices, grams.counts.indptr), shape=grams.counts.shape)
        self._holding = inverted_lists([held])
        self.alike = lru_cache(CACHED)(self._alike)

    def _alike(self, asked: str) -> tuple[Integers, Floats]:
        """Return the numbers, in increasing order, of the words that count as the one asked for, and how alike they are."""
        alike = np.zeros(len(self._numbers))
        if len(asked) >= EXACT_BELOW:
            own = _grams(asked)
            known = sorted(self._grams.numbers[gram] for gram in own & self._grams.numbers.keys())
            alike = self._holding.sums(np.array(known, dtype=np.int64), np.ones(len(known))) / len(own)
        if len(asked) < letters_a_word(asked[0]):
            alike[[number for word, number in self._numbers.items() if asked in word]] = 1.0
        if asked in self._numbers:
            alike[self._numbers[asked]] = 1.0
        numbers = np.flatnonzero(alike >= _least(asked))
        return numbers, alike[numbers]
