"""Likeness of character n-grams: cosine of tf-idf vectors.

As scikit-learn's ``TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), sublinear_tf=True)`` has it for folded
words: an image's or a query's weight of an n-gram is ``(1 + ln tf) · idf``, divided by the root of the sum of the squares
of its weights, with ``idf = ln((1 + n) / (1 + df)) + 1``, where n images have a text and df of them the n-gram. N-grams that
no image has are left out of a query. Weights of images are rounded to float32.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from scipy.sparse import csr_array

from text2image.base.arrays import Floats, Integers
from text2image.retrieval.systems.words.documents import Documents
from text2image.retrieval.systems.words.grams import Grams
from text2image.retrieval.systems.words.inverted import inverted_lists


class NgramSearch:
    """Cosines in [0, 1] of queries and images."""

    def __init__(self, documents: Documents, grams: Grams) -> None:
        self._grams, self._documents = grams, documents
        holders = np.zeros(grams.counts.shape[1], dtype=np.int64)
        for counts in self._counts():
            holders += np.bincount(counts.indices, minlength=len(holders))
        self._idf = np.log((1 + documents.n_texts) / (1 + holders)) + 1
        self._lists = inverted_lists(_weigh(counts, self._idf) for counts in self._counts())

    def _counts(self) -> Iterator[csr_array]:
        """Yield how often some images hold each n-gram, a row an image: made twice rather than held."""
        for block in self._documents.blocks:
            yield csr_array(block @ self._grams.counts)

    def scores(self, query: Sequence[str]) -> Floats:
        """Return the cosines of the words of a query with all images."""
        terms, weights = self._vector(query)
        return self._lists.sums(terms, weights)

    def _vector(self, query: Sequence[str]) -> tuple[Integers, Floats]:
        counts = self._grams.count(query).sum(axis=0)
        terms = np.flatnonzero(counts)
        weights = (1 + np.log(counts[terms])) * self._idf[terms]
        return terms, weights / np.sqrt(np.sum(weights**2))


def _weigh(counts: csr_array, idf: Floats) -> csr_array:
    """Return the weights of some images' n-grams: rows of length 1, or of nothing."""
    weights = (1 + np.log(counts.data)) * idf[counts.indices]
    rows = np.repeat(np.arange(counts.shape[0]), np.diff(counts.indptr))
    lengths = np.sqrt(np.bincount(rows, weights**2, minlength=counts.shape[0]))
    return csr_array((weights / lengths[rows], counts.indices, counts.indptr), shape=counts.shape)
