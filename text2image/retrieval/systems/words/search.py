"""A system that finds images by the words of their texts: an index of the images, and a scorer for some queries."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from text2image.base.arrays import Vectors
from text2image.retrieval.systems.scorer import Why
from text2image.retrieval.systems.words.bm25 import Bm25Search
from text2image.retrieval.systems.words.documents import Fields, read_documents
from text2image.retrieval.systems.words.explain import explain
from text2image.retrieval.systems.words.folding import words
from text2image.retrieval.systems.words.grams import grams_of
from text2image.retrieval.systems.words.likeness import Vocabulary
from text2image.retrieval.systems.words.ngrams import NgramSearch

Match = Literal["ngrams", "words", "both"]


class WordIndex:
    """The texts of the images that are searched, as ``match`` needs them.

    - ``ngrams``: cosines of character n-grams (:mod:`.ngrams`), in [0, 1];
    - ``words``: BM25 (:mod:`.bm25`), from 0 on, 1 for an image of average length that holds each word of the query once;
    - ``both``: the mean of the two, as they are of one size: over the images of a query they spread by 0.05 and 0.05 (standard
      deviations) in what OCR read on photographs, by 0.07 and 0.12 in made-up phrases with slips. The mean's reciprocal
      rank was above both where a twentieth of the letters were wrong, and never more than 0.015 below the better one's.

    Once it is built, it does not change: threads may share it.
    """

    def __init__(self, fields: Fields, match: Match) -> None:
        """Take the texts of each image, those of all fields together.

        Args:
            fields: ``{field: texts of each image}``, of as many images each.

        Raises:
            ValueError: there is no field, or they are not of equally many images.
        """
        documents = read_documents(fields)
        grams = grams_of(list(documents.vocabulary))
        self.fields, self.n_images = fields, len(next(iter(fields.values())))
        self._searches: list[NgramSearch | Bm25Search] = []
        if match != "words":
            self._searches.append(NgramSearch(documents, grams))
        if match != "ngrams":
            self._searches.append(Bm25Search(documents, Vocabulary(documents.vocabulary, grams)))

    def scores(self, queries: Sequence[str]) -> Vectors:
        """Return the scores of all images for some queries; all 0 for one that matches nothing.

        Returns:
            ``(n_queries, n_images)`` float32, each line the same bits whatever other queries are asked with it.
        """
        if not queries:
            return np.empty((0, self.n_images), dtype=np.float32)
        asked = [words(query) for query in queries]
        scores = self._searches[0].scores(asked)
        for search in self._searches[1:]:
            scores = (scores + search.scores(asked)) / 2
        return scores.astype(np.float32)


class WordScorer:
    """The system ``words`` for some queries (:class:`text2image.retrieval.systems.scorer.Scorer`)."""

    def __init__(self, queries: Sequence[str], index: WordIndex) -> None:
        self._queries, self._index = queries, index

    @property
    def n_queries(self) -> int:
        """How many queries are asked."""
        return len(self._queries)

    @property
    def n_images(self) -> int:
        """How many images are searched."""
        return self._index.n_images

    def scores(self, queries: slice) -> Vectors:
        """Return the scores of some queries with all images: ``(n, n_images)`` float32."""
        return self._index.scores(self._queries[queries])

    def explain(self, query: int, columns: Sequence[int]) -> list[Why]:
        """Return the words of the images' texts that are those of a query, or near them."""
        return [explain(self._queries[query], self._index.fields, column) for column in columns]
