"""The kind ``vision``: cosine similarity of an encoder's vectors of query and image."""

from collections.abc import Sequence

import numpy as np

from text2image.base.arrays import Vectors
from text2image.retrieval.ranking import score_blocks
from text2image.retrieval.systems.scorer import Why


class VisionScorer:
    """A model alone.

    Args:
        queries: ``(n_queries, dim)`` float32, unit rows.
        images: ``(n_images, dim)`` float32, unit rows; may be memory-mapped.
    """

    def __init__(self, queries: Vectors, images: Vectors) -> None:
        self.queries, self.images = queries, images

    @property
    def n_queries(self) -> int:
        """How many queries it was built for."""
        return len(self.queries)

    @property
    def n_images(self) -> int:
        """How many images are searched."""
        return len(self.images)

    def scores(self, queries: slice) -> Vectors:
        """Return cosine similarities in [-1, 1]: ``(n, n_images)`` float32."""
        blocks = [scores.copy() for _, scores in score_blocks(self.queries[queries], self.images)]
        return np.concatenate(blocks)

    def explain(self, query: int, columns: Sequence[int]) -> list[Why]:
        """Return nothing: a vector does not say why."""
        return [Why() for _ in columns]
