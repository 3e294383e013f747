"""The kind ``vision``: cosine similarity of an encoder's vectors of query and image, the best of the image's views."""

from collections.abc import Sequence

import numpy as np

from text2image.base.arrays import Vectors
from text2image.formats.views import ImageVectors
from text2image.retrieval.ranking import score_blocks
from text2image.retrieval.scores import best_view_scores
from text2image.retrieval.systems.scorer import Why


class VisionScorer:
    """A model alone.

    Args:
        queries: ``(n_queries, dim)`` float32, unit rows.
        images: one vector an image, or one for each of its views, of which the one most like the query counts.
    """

    def __init__(self, queries: Vectors, images: ImageVectors) -> None:
        self.queries, self.images = queries, images

    @property
    def n_queries(self) -> int:
        """How many queries it was built for."""
        return len(self.queries)

    @property
    def n_images(self) -> int:
        """How many images are searched."""
        return self.images.n_images

    def scores(self, queries: slice) -> Vectors:
        """Return cosine similarities in [-1, 1]: ``(n, n_images)`` float32."""
        blocks = score_blocks(self.queries[queries], self.images.vectors, self.images.starts)
        return np.concatenate([scores.copy() for _, scores in blocks])

    def explain(self, query: int, columns: Sequence[int]) -> list[Why]:
        """Return which view of each image counts; nothing where it has one vector, which does not say why."""
        if self.images.starts is None or not self.images.names:
            return [Why() for _ in columns]
        places = np.asarray(columns, dtype=np.int64)
        _, views = best_view_scores(self.queries, self.images, np.full_like(places, query), places)
        return [Why(view=self.images.names[row]) for row in self.images.starts[places] + views]
