"""BM25 that forgives misread words.

``score(q, d) = Σ_t idf(t) · Σ_w likeness(t, w) · tf(w, d) (k1 + 1) / (tf(w, d) + k1 (1 − b + b |d| / avgdl)) / Σ_t idf(t)``

over the words t of the query and the words w of the image that are alike (:mod:`.likeness`), |d| words of all on average
avgdl, with ``idf(t) = ln(1 + (n − df + 0.5) / (df + 0.5))``, where n images have a text and ``df = min(n, Σ_w likeness(t, w) df(w))``
of them the word: a misread word counts as an occurrence of the one that is asked for, not as a rare word of its own.
With likeness 1 for equal words and 0 for others it is BM25 (Robertson and Zaragoza, 2009; idf as in Lucene), divided by what
is the same for all images, so that 1 is what an image of average length has that holds each word once.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from scipy.sparse import csr_array

from text2image.base.arrays import Floats, Integers
from text2image.retrieval.systems.words.documents import Documents
from text2image.retrieval.systems.words.inverted import inverted_lists
from text2image.retrieval.systems.words.likeness import Vocabulary

K1, B = 1.2, 0.75


class Bm25Search:
    """Scores of queries and images, from 0 on."""

    def __init__(self, documents: Documents, vocabulary: Vocabulary) -> None:
        self._vocabulary, self._n_texts = vocabulary, documents.n_texts
        self._frequencies = documents.frequencies()
        n_words = sum(int(block.sum()) for block in documents.blocks)
        average = n_words / max(1, self._n_texts)
        self._lists = inverted_lists(_saturate(block, average) for block in documents.blocks)

    def scores(self, queries: Sequence[Sequence[str]]) -> Floats:
        """Return the scores of all images for queries, each given by its words: ``(n_queries, n_images)``."""
        return np.stack([self._lists.sums(*self._vector(query)) for query in queries])

    def _vector(self, query: Sequence[str]) -> tuple[Integers, Floats]:
        """Return the words of images that count for a query, in increasing order, and the weight of each."""
        weights, whole = np.zeros(len(self._frequencies)), 0.0
        for word, times in sorted(Counter(query).items()):
            numbers, alike = self._vocabulary.alike(word)
            holders = min(self._n_texts, float(np.sum(alike * self._frequencies[numbers])))
            idf = times * np.log(1 + (self._n_texts - holders + 0.5) / (holders + 0.5))
            weights[numbers] += idf * alike
            whole += idf
        terms = np.flatnonzero(weights)
        return terms, weights[terms] / whole


def _saturate(counts: csr_array, average: float) -> csr_array:
    """Return what each word of some images adds, without its idf."""
    lengths = np.repeat(counts.sum(axis=1), np.diff(counts.indptr))
    times = counts.data * (K1 + 1) / (counts.data + K1 * (1 - B + B * lengths / average))
    return csr_array((times, counts.indices, counts.indptr), shape=counts.shape)
