"""Inverted lists: for each term the images that hold it, each with a weight, in blocks of images."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array

from text2image.base.arrays import Floats, Integers

IMAGES = 1 << 16
"""Images of a block: their sums (float64: 512 KiB) stay in the processor's cache while lists are added to them."""


class Lists(NamedTuple):
    """Inverted lists of some images.

    Attributes:
        blocks: ``(n_terms, n)`` float64 matrices, rows of which hold the images of a term, in the order of images.
        n_images: in all blocks together.
    """

    blocks: list[csr_array]
    n_images: int

    def sums(self, terms: Integers, weights: Floats) -> Floats:
        """Return, for each image, the sum of the weights of its terms, each times the term's own weight.

        Sums are made in float64, term by term in the order given, so that they are the same bits wherever they
        are made.

        Args:
            terms: ``(n,)`` distinct rows of the matrices.
            weights: ``(n,)``.

        Returns:
            ``(n_images,)``; 0 for an image without any of the terms.
        """
        sums = np.zeros(self.n_images)
        start = 0
        for block in self.blocks:
            stop = start + block.shape[1]
            if len(terms):
                sums[start:stop] = block[terms].T @ weights
            start = stop
        return sums


def inverted_lists(rows: Iterable[csr_array]) -> Lists:
    """Return the inverted lists of images whose terms are given, some images at a time.

    Args:
        rows: ``(n, n_terms)`` matrices of weights, a row an image; none for no image.
    """
    blocks = [csr_array(matrix.astype(np.float64).T.tocsr()) for matrix in rows]
    return Lists(blocks, sum(block.shape[1] for block in blocks))
