"""What every system is once it is built for some queries and the images that are searched: a source of scores.

Queries and images are counted from 0, in the order in which the system was given them; images are sorted by their ids,
so that the one tie rule (:mod:`text2image.retrieval.ranking`) applies to all systems.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from text2image.base.arrays import Vectors
from text2image.formats.fields import FieldText


class Match(NamedTuple):
    """A text of an image in which a query was found.

    Attributes:
        field: the field that it belongs to.
        text: the whole text, with its place on the image.
        words: the words of the text that matched, as they stand there, in its order.
    """

    field: str
    text: FieldText
    words: tuple[str, ...]


class Part(NamedTuple):
    """What one system of a fusion adds to an image's score: ``share`` is its weighted, standardised score."""

    system: str
    share: float


class Why(NamedTuple):
    """Why an image has its score for a query; what does not apply is empty.

    Attributes:
        matches: the texts in which the query was found, the best first.
        parts: of a fused score, in the order of ``of``.
        view: which view of the image counts, where a model sees several: ``whole``, ``tile 2 of 3`` …
        grade: of the model that looked at query and picture, or the score of a cross-encoder, as text; "" for none.
        reason: that model's.
    """

    matches: tuple[Match, ...] = ()
    parts: tuple[Part, ...] = ()
    view: str = ""
    grade: str = ""
    reason: str = ""


class Scorer(Protocol):
    """A system, built for ``n_queries`` queries and ``n_images`` images."""

    @property
    def n_queries(self) -> int:
        """How many queries it was built for."""

    @property
    def n_images(self) -> int:
        """How many images are searched."""

    def scores(self, queries: slice) -> Vectors:
        """Return the scores of some queries with all images: ``(n, n_images)`` float32, finite; higher is better.

        A query's row has the same bits whatever rows are computed with it, and in whatever thread. A row of equal
        scores says nothing of its query. The array belongs to the caller.
        """

    def explain(self, query: int, columns: Sequence[int]) -> list[Why]:
        """Return why images have their scores for a query, one for each of ``columns``."""
