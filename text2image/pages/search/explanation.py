"""Why a result is where it is: pure functions of scores and of what the annotations say."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from text2image.formats.texts import normalise_text, query_id
from text2image.pages.search.annotations import Annotations, CatalogFile, ImageLabel, SourceQuery
from text2image.queries.judgements import JudgementRow
from text2image.retrieval.ranking import ranks

Vectors = npt.NDArray[np.float32]

SHOWN = 12  # pictures of a group; the rest is counted


class RankedImage(NamedTuple):
    """Where an image stands in the whole gallery."""

    image_id: str
    rank: int
    score: float


class RankedGroup(NamedTuple):
    """The best-ranked images of a group, best first, at most ``SHOWN``, and how many the group has."""

    shown: list[RankedImage]
    total: int


class ExplainedImage(NamedTuple):
    """A result, and all that is known of it for the query.

    Attributes:
        ranked: its rank and score under the model.
        other_ranks: ``{model: rank}`` under the other model.
        file: what the catalog says.
        grades: ``{source: grade}`` where it is counted as relevant.
        labels: what each source says of it, and whether that is the query.
        near_duplicates: where those stand.
        judgements: those of this image for the query.
    """

    ranked: RankedImage
    other_ranks: dict[str, int]
    file: CatalogFile
    grades: dict[str, int]
    labels: list[tuple[ImageLabel, bool]]
    near_duplicates: RankedGroup
    judgements: list[JudgementRow]


class ModelResults(NamedTuple):
    """The results under one model, and where it ranks the images that the query should find."""

    model: str
    results: list[ExplainedImage]
    expected: RankedGroup


def rank_group(images: Iterable[str], scores: Vectors, image_ids: Sequence[str]) -> RankedGroup:
    """Return where images stand: exact ranks over the whole gallery, by its one tie rule.

    Args:
        images: any images; those that are not in the gallery are left out.
        scores: ``(n_images,)`` float32.
        image_ids: the gallery, sorted.
    """
    places = ((bisect_left(image_ids, image), image) for image in set(images))
    in_gallery = [place for place, image in places if image_ids[place : place + 1] == [image]]
    columns = np.array(sorted(in_gallery), np.int64)
    best = columns[np.lexsort((columns, -scores[columns]))][:SHOWN]
    best_ranks = ranks(scores[None], np.zeros(len(best), np.int64), best)
    shown = [
        RankedImage(image_ids[column], int(rank), float(scores[column]))
        for column, rank in zip(best, best_ranks, strict=True)
    ]
    return RankedGroup(shown, len(columns))


def expected_images(queries: Iterable[SourceQuery]) -> set[str]:
    """Return the images that a query should find: those counted as relevant, and those that carry its text."""
    return {image for query in queries for image in (*query.grades, *query.labelled)}


class Explainer(NamedTuple):
    """What results of one query are explained from.

    Attributes:
        annotations: labels and near-duplicates.
        queries: the label sources' queries that the query is.
        judgements: ``{image_id: judgements for the query}``.
        image_ids: the gallery, sorted.
        scores: ``{model: (n_images,) float32}`` of all models that are compared.
    """

    annotations: Annotations
    queries: Sequence[SourceQuery]
    judgements: Mapping[str, Sequence[JudgementRow]]
    image_ids: Sequence[str]
    scores: Mapping[str, Vectors]

    def explain(self, model: str, results: Iterable[RankedImage]) -> ModelResults:
        """Return the best images under ``model`` with all that is known of them."""
        expected = rank_group(expected_images(self.queries), self.scores[model], self.image_ids)
        return ModelResults(model, [self._explain_image(model, ranked) for ranked in results], expected)

    def _explain_image(self, model: str, ranked: RankedImage) -> ExplainedImage:
        image = ranked.image_id
        other_ranks = {
            other: rank_group([image], scores, self.image_ids).shown[0].rank
            for other, scores in self.scores.items()
            if other != model
        }
        near = self.annotations.near_duplicates(image)
        return ExplainedImage(
            ranked,
            other_ranks,
            self.annotations.files[image],
            {query.source: query.grades[image] for query in self.queries if image in query.grades},
            [(label, self._is_query(label, image)) for label in self.annotations.labels.get(image, ())],
            rank_group(near, self.scores[model], self.image_ids),
            list(self.judgements.get(image, ())),
        )

    def _is_query(self, label: ImageLabel, image: str) -> bool:
        """Say whether a label of an image is the query's text."""
        return any(
            query.source == label.source
            and image in query.labelled
            and query_id(normalise_text(label.text)) == query_id(query.text)
            for query in self.queries
        )
