"""What every system is once it is built for some queries and the images that are searched: a source of scores.

Queries and images are counted from 0, in the order in which the system was given them; images are sorted by their ids,
so that the one tie rule (:mod:`text2image.retrieval.ranking`) applies to all systems.
"""

import json
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from text2image.base.arrays import Vectors
from text2image.base.console import InputError, one_line
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


class WhyRow(NamedTuple):
    """A row of data/why/SYSTEM/SOURCE.csv: why an image has its score for a query, :class:`Why` as JSON."""

    query_id: str
    image_id: str
    why: str


def why_json(why: Why) -> str:
    """Return ``why`` as JSON without what is empty.

    >>> why_json(Why(view="whole", parts=(Part("words", 1.25),)))
    '{"parts": [["words", 1.25]], "view": "whole"}'
    """
    return json.dumps({key: value for key, value in why._asdict().items() if value}, ensure_ascii=False)


def parse_why(text: str) -> Why:
    """Return what :func:`why_json` was given.

    Raises:
        InputError: the text is no such thing.
    """
    try:
        value = json.loads(text)
        matches = tuple(
            Match(field, FieldText(image_id, said, confidence, tuple((x, y) for x, y in box)), tuple(words))
            for field, (image_id, said, confidence, box), words in value.get("matches", ())
        )
        parts = tuple(Part(*part) for part in value.get("parts", ()))
    except (ValueError, TypeError, AttributeError, RecursionError):
        raise InputError(
            f"expected the reason of a score as the stage `retrieve` writes it into data/why/, found {one_line(text, 60)!r}; "
            "remove what was changed there and in data/examples/, and run `dvc repro`"
        ) from None
    rest = {key: value[key] for key in ("view", "grade", "reason") if key in value}
    return Why(matches, parts, **rest)


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
