"""All that is known of an image as one document, and documents as counts of words."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array

from text2image.base.arrays import Integers
from text2image.formats.fields import FieldText
from text2image.retrieval.systems.words.folding import words
from text2image.retrieval.systems.words.inverted import IMAGES

Fields = Mapping[str, Sequence[Sequence[FieldText]]]
"""``{field: texts of each image that is searched}``."""


class Documents(NamedTuple):
    """The images' texts as words.

    Attributes:
        vocabulary: every word that occurs, numbered in the order in which they first occur.
        blocks: ``(n, n_words)`` int32 matrices that count the words of some images, a row an image.
    """

    vocabulary: dict[str, int]
    blocks: list[csr_array]

    @property
    def n_texts(self) -> int:
        """How many images have a word."""
        return int(sum(np.count_nonzero(np.diff(block.indptr)) for block in self.blocks))

    def frequencies(self) -> Integers:
        """Return in how many images each word occurs: ``(n_words,)``."""
        counts = np.zeros(len(self.vocabulary), dtype=np.int64)
        for block in self.blocks:
            counts += np.bincount(block.indices, minlength=len(counts))
        return counts


def read_documents(fields: Fields) -> Documents:
    """Return the words of all texts of each image, those of all fields together.

    Raises:
        ValueError: there is no field, or they are not of equally many images.
    """
    if not fields:
        raise ValueError("expected at least one field of texts to search in, found none")
    if len(sizes := {len(texts) for texts in fields.values()}) > 1:
        raise ValueError(f"expected fields with the texts of equally many images, found {sorted(sizes)}")
    vocabulary: dict[str, int] = {}
    n_images = sizes.pop()
    starts = range(0, n_images, IMAGES)
    blocks = [_count(fields, range(start, min(start + IMAGES, n_images)), vocabulary) for start in starts]
    for counts in blocks:
        counts.resize((counts.shape[0], len(vocabulary)))  # words that occur later only
    return Documents(vocabulary, blocks)


def _count(fields: Fields, images: range, vocabulary: dict[str, int]) -> csr_array:
    """Return the counts of words of some images, and give new words the next numbers."""
    columns = np.fromiter(_columns(fields, images, vocabulary, ends := [0]), dtype=np.int32)
    shape = (len(images), len(vocabulary))
    counts = csr_array((np.ones_like(columns), columns, np.array(ends, dtype=np.int32)), shape=shape)
    counts.sum_duplicates()
    return counts


def _columns(fields: Fields, images: range, vocabulary: dict[str, int], ends: list[int]) -> Iterator[int]:
    """Yield the numbers of the words of some images, and note in ``ends`` how many there are up to each image's end."""
    n_words = 0
    for image in images:
        for texts in fields.values():
            for one in texts[image]:
                for word in words(one.text):
                    yield vocabulary.setdefault(word, len(vocabulary))
                    n_words += 1
        ends.append(n_words)
