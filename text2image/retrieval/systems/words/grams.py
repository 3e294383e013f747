"""The character n-grams of words: scikit-learn's ``char_wb``, of ``SIZES`` characters.

They are the characters that follow each other in a word with a space before and after it, so that its beginning and
its end count: of ``sale`` the pairs ``" s"``, ``sa``, ``al``, ``le``, ``"e "``, and so on for three and four.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.sparse import csr_array

from text2image.base.arrays import Integers

if TYPE_CHECKING:
    from sklearn.feature_extraction.text import CountVectorizer

SIZES = (2, 4)
"""The shortest and the longest n-gram."""


class Grams(NamedTuple):
    """The n-grams of the words of a vocabulary.

    Attributes:
        numbers: every n-gram that occurs, numbered.
        counts: ``(n_words, n_grams)`` int32, how often each word holds each.
    """

    numbers: dict[str, int]
    counts: csr_array

    def count_in(self, words: Sequence[str]) -> tuple[Integers, Integers]:
        """Return the numbers, in increasing order, of the n-grams of some words, and how often they hold each.

        N-grams without a number are left out.
        """
        found = Counter(
            self.numbers[gram] for word in words for gram in _analyzer()(word) if gram in self.numbers
        )
        numbers = np.array(sorted(found), dtype=np.int64)
        return numbers, np.array([found[number] for number in numbers], dtype=np.int64)


def grams_of(words: Sequence[str]) -> Grams:
    """Return the n-grams of distinct words."""
    if not words:
        return Grams({}, csr_array((0, 0), dtype=np.int32))
    vectorizer = _vectorizer()
    counts = csr_array(vectorizer.fit_transform(words))
    return Grams(vectorizer.vocabulary_, counts)


def distinct_grams(word: str) -> set[str]:
    """Return the n-grams of a word."""
    return set(_analyzer()(word))


@cache
def _analyzer() -> Callable[[str], list[str]]:
    analyzer: Callable[[str], list[str]] = _vectorizer().build_analyzer()
    return analyzer


def _vectorizer() -> "CountVectorizer":
    from sklearn.feature_extraction.text import CountVectorizer

    return CountVectorizer(analyzer="char_wb", ngram_range=SIZES, lowercase=False, dtype=np.int32)
