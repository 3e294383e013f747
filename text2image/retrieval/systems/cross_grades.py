"""Grades of a cross-encoder that reads a query beside what is known of an image as text, for the kind ``rerank``."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from text2image.base.settings import Runtime
from text2image.encoders.sentences.cross_encoding import cross_scores
from text2image.encoders.vectors import Card
from text2image.formats.fields import FieldText
from text2image.retrieval.systems.rerank import Grade, Pairs

NO_TEXT = "no text to read"


class CrossGrader(NamedTuple):
    """Has a cross-encoder score pairs; :meth:`grade` is what :class:`text2image.retrieval.systems.rerank.Rerank` takes.

    Attributes:
        system: its name in ``systems``, for messages.
        card: of the model, by :func:`text2image.encoders.sentences.card.describe_sentence_model`.
        runtime: where it computes.
        texts: of the queries.
        fields: by name, the texts of each image; the model reads all of an image joined, up to as many tokens as it
            takes.
    """

    system: str
    card: Card
    runtime: Runtime
    texts: Sequence[str]
    fields: Mapping[str, Sequence[Sequence[FieldText]]]

    def grade(self, pairs: Pairs) -> list[Grade]:
        """Return grades whose levels order the images of each query as the scores do, those without text last.

        Raises:
            InputError: the model cannot be loaded, is a classifier, or gives values that are not finite.
        """
        documents = {image: self._document(image) for _, image in pairs}
        read = [(query, image) for query, image in pairs if documents[image]]
        scores = cross_scores(
            self.card,
            [(self.texts[query], documents[image]) for query, image in read],
            f"systems.{self.system}.by",
            self.runtime,
            f"rerank {self.system}",
        )
        score_of = dict(zip(read, scores.tolist(), strict=True))
        levels = _levels(score_of)
        return [
            Grade(levels[pair], f"{score_of[pair]:.3f}") if pair in score_of else Grade(0, "", NO_TEXT)
            for pair in pairs
        ]

    def _document(self, image: int) -> str:
        texts = (one.text.strip() for texts in self.fields.values() for one in texts[image])
        return " ".join(text for text in texts if text)


def _levels(score_of: Mapping[tuple[int, int], float]) -> dict[tuple[int, int], int]:
    """Return for each pair 1 + how many different lower scores its query has."""
    of_query: dict[int, list[tuple[int, int]]] = {}
    for pair in score_of:
        of_query.setdefault(pair[0], []).append(pair)
    levels: dict[tuple[int, int], int] = {}
    for pairs in of_query.values():
        places = np.unique([score_of[pair] for pair in pairs], return_inverse=True)[1]
        levels.update(zip(pairs, (int(place) + 1 for place in places), strict=True))
    return levels
