"""Why a result is where it is: pure functions of scores and of what is known."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from text2image.formats.texts import normalise_text, query_id
from text2image.pages.search.known import Asked, File, Known, Label
from text2image.queries.judgements import JudgementRow
from text2image.retrieval.ranking import ranks

Floats = npt.NDArray[np.float32]

SPOTS = 12  # pictures shown of a group; the rest is counted


class Spot(NamedTuple):
    """Where an image stands in the whole gallery."""

    image_id: str
    rank: int
    score: float


class Spots(NamedTuple):
    """The best-ranked images of a group, best first, at most ``SPOTS``, and how many there are."""

    shown: list[Spot]
    total: int


class Result(NamedTuple):
    """An image that was found and all that is known of it for the query.

    Attributes:
        spot: its rank and score under the model.
        elsewhere: ``{model: rank}`` under the other model.
        file: what the catalog says.
        held: ``{source: grade}`` where it is held relevant.
        labels: what each source says of it, and whether it says the query.
        alike: its near-duplicates.
        judged: what was judged so far.
    """

    spot: Spot
    elsewhere: dict[str, int]
    file: File
    held: dict[str, int]
    labels: list[tuple[Label, bool]]
    alike: Spots
    judged: list[JudgementRow]


class Ranking(NamedTuple):
    """What one model finds, and where it puts the images held relevant."""

    model: str
    results: list[Result]
    expected: Spots


def spots(images: Iterable[str], scores: Floats, image_ids: Sequence[str]) -> Spots:
    """Return where images stand: exact ranks over the whole gallery, ties as everywhere.

    Args:
        images: any images; those that are not in the gallery are left out.
        scores: ``(n_images,)`` float32.
        image_ids: the gallery, sorted.
    """
    places = ((bisect_left(image_ids, image), image) for image in set(images))
    there = [place for place, image in places if image_ids[place : place + 1] == [image]]
    columns = np.array(sorted(there), np.int64)
    best = columns[np.lexsort((columns, -scores[columns]))][:SPOTS]
    found = ranks(scores[None], np.zeros(len(best), np.int64), best)
    shown = [
        Spot(image_ids[column], int(rank), float(scores[column]))
        for column, rank in zip(best, found, strict=True)
    ]
    return Spots(shown, len(columns))


def expected(asked: Iterable[Asked]) -> set[str]:
    """Return the images that a query should find: those held relevant, and those that carry its text."""
    return {image for query in asked for image in (*query.held, *query.labelled)}


def explain(
    scores: Mapping[str, Floats],
    model: str,
    found: Sequence[Spot],
    image_ids: Sequence[str],
    known: Known,
    asked: Sequence[Asked],
    judged: Mapping[str, Sequence[JudgementRow]],
) -> Ranking:
    """Return what a model found with all that is known of it.

    Args:
        scores: ``{model: (n_images,) float32}`` of all models that are looked at.
        model: whose ranking it is.
        found: the best images under that model.
        image_ids: the gallery, sorted.
        known: labels and near-duplicates.
        asked: the label sources' queries that the query is.
        judged: ``{image_id: judgements for the query}``.
    """
    others = [name for name in scores if name != model]

    def result(spot: Spot) -> Result:
        image = spot.image_id
        elsewhere = {name: spots([image], scores[name], image_ids).shown[0].rank for name in others}
        labels = [(label, _says(label, image, asked)) for label in known.labels.get(image, ())]
        return Result(
            spot,
            elsewhere,
            known.files[image],
            {query.source: query.held[image] for query in asked if image in query.held},
            labels,
            spots(known.alike(image), scores[model], image_ids),
            list(judged.get(image, ())),
        )

    return Ranking(
        model,
        [result(spot) for spot in found],
        spots(expected(asked), scores[model], image_ids),
    )


def _says(label: Label, image: str, asked: Iterable[Asked]) -> bool:
    """Say whether a label is the query's text."""
    return any(
        query.source == label.source
        and image in query.labelled
        and query_id(normalise_text(label.text)) == query_id(query.text)
        for query in asked
    )
