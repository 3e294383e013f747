"""Likeness of meaning between a query and what is known of the images as text: the kind ``meaning``.

The score of an image is the largest cosine of the query's vector with those of the image's texts and of all of them
joined, by one text encoder. An image without text has the lowest score that any image with text has for the query: it
is found last, but no worse than that, so that a fusion of systems does not count against a picture that it shows no
words. Where no image has a text, all scores are 0, which says nothing.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from text2image.base.arrays import Integers, Vectors
from text2image.formats.fields import FieldText
from text2image.retrieval.ranking import score_blocks
from text2image.retrieval.systems.scorer import Match, Why

SHOWN = 3
"""The most texts that explain an image."""

Fields = Mapping[str, Sequence[Sequence[FieldText]]]
"""By the name of the field, the texts of each image."""


class MeaningIndex:
    """The vectors of all texts that are known of the images; the same for any query."""

    def __init__(self, fields: Fields, encode: Callable[[Sequence[str]], Vectors]) -> None:
        """Have the texts encoded.

        Args:
            fields: at least one, all of the same images.
            encode: returns the vectors of distinct texts, ``(n_texts, dim)`` float32, unit rows or zero.
        """
        images = list(zip(*fields.values(), strict=True))
        self.n_images = len(images)
        self.texts = [
            [(field, one) for field, some in zip(fields, own, strict=True) for one in some] for own in images
        ]
        spoken = [_spoken(one.text for _, one in own) for own in self.texts]
        distinct = dict.fromkeys(text for own in spoken for text in own)
        self.row_of = {text: row for row, text in enumerate(distinct)}
        self.vectors = encode(list(distinct)) if distinct else np.empty((0, 0), dtype=np.float32)
        self.with_text: Integers = np.flatnonzero([bool(own) for own in spoken])
        self.rows: Integers = np.array([self.row_of[text] for own in spoken for text in own], dtype=np.int64)
        lengths = [len(own) for own in spoken if own]
        self.starts: Integers = np.cumsum([0, *lengths])[:-1].astype(np.int64)


class Meaning:
    """A system of the kind ``meaning``; a :class:`text2image.retrieval.systems.scorer.Scorer`.

    Args:
        queries: ``(n_queries, dim)`` float32, unit rows or zero, by the encoder of the texts.
        index: of the images that are searched.
    """

    def __init__(self, queries: Vectors, index: MeaningIndex) -> None:
        self.queries, self.index = queries, index

    @property
    def n_queries(self) -> int:
        """How many queries it was built for."""
        return len(self.queries)

    @property
    def n_images(self) -> int:
        """How many images are searched."""
        return self.index.n_images

    def scores(self, queries: slice) -> Vectors:
        """Return scores, ``(n, n_images)`` float32 in [-1, 1]; see the head of this module."""
        some, index = self.queries[queries], self.index
        result = np.zeros((len(some), index.n_images), dtype=np.float32)
        if not len(index.with_text) or not len(some):
            return result
        for rows, cosines in score_blocks(some, index.vectors):
            best = np.maximum.reduceat(cosines[:, index.rows], index.starts, axis=1)
            result[rows] = best.min(axis=1, keepdims=True)
            result[rows, index.with_text] = best
        return result

    def explain(self, query: int, columns: Sequence[int]) -> list[Why]:
        """Return the texts of images that mean most nearly what a query means, whole, the best first."""
        return [Why(matches=self._matches(query, column)) for column in columns]

    def _matches(self, query: int, column: int) -> tuple[Match, ...]:
        own = [(field, one) for field, one in self.index.texts[column] if one.text.strip()]
        if not own:
            return ()
        vectors = self.index.vectors[[self.index.row_of[one.text.strip()] for _, one in own]]
        cosines = vectors.astype(np.float64) @ self.queries[query].astype(np.float64)
        best = np.argsort(-cosines, kind="stable")[:SHOWN]
        return tuple(Match(own[place][0], own[place][1], tuple(own[place][1].text.split())) for place in best)


def _spoken(texts: Iterable[str]) -> list[str]:
    """Return the distinct texts of an image without blanks around them, and all of them joined; none without text."""
    some = [text.strip() for text in texts if text.strip()]
    return list(dict.fromkeys([*some, " ".join(some)])) if some else []
