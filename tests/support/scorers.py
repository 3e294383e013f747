"""Systems whose scores a test makes up."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from text2image.base.arrays import Floats, Vectors
from text2image.retrieval.systems.scorer import Why


def single(*values: float) -> Vectors:
    """Return float32 values."""
    return np.array(values, dtype=np.float32)


class Given:
    """A system of given scores, ``(n_queries, n_images)``."""

    def __init__(self, scores: Floats | Vectors, why: Why | None = None) -> None:
        self._scores, self._why = np.asarray(scores, dtype=np.float32), why or Why()
        self.n_queries, self.n_images = self._scores.shape

    def scores(self, queries: slice) -> Vectors:
        return self._scores[queries].copy()

    def explain(self, query: int, columns: Sequence[int]) -> list[Why]:
        return [self._why for _ in columns]
