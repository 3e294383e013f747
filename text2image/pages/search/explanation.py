"""Why a result is where it is: pure functions of scores and of what the annotations say."""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from text2image.base.arrays import Integers
from text2image.collection.manifest import Box
from text2image.formats.tables import Row
from text2image.formats.texts import normalise_text, query_id
from text2image.pages.search.annotations import Annotations, ImageLabel, SourceQuery
from text2image.pages.search.searcher import Found, RankedImage
from text2image.pages.search.why import Bar, bars, longest_share, marks, view_box
from text2image.pages.sheets.examples import places
from text2image.pages.sheets.marks import Mark
from text2image.queries.judgements import JudgementRow
from text2image.retrieval.ranking import ranks_by_keys
from text2image.retrieval.scores import from_keys
from text2image.retrieval.systems.scorer import Why

SHOWN = 12  # pictures of a group; the rest is counted


class RankedGroup(NamedTuple):
    """The best-ranked images of a group, best first, at most ``SHOWN``, and how many the group has."""

    shown: list[RankedImage]
    total: int


class ExplainedImage(NamedTuple):
    """A result, and all that is known of it for the query.

    Attributes:
        ranked: its rank and score under the system.
        why: what the system says of that.
        marks: the words that matched, on the picture.
        bars: the shares of a fused score.
        view_box: where on the picture the view lies that counts; None for all of it.
        other_ranks: ``{system: rank}`` under the other system.
        file: the catalog's row of its first file.
        is_relevant: whether any source counts it as relevant.
        relevance: whether each source that asks the query does, and why, a sentence each.
        labels: what each source says of it, and whether that is the query.
        near_duplicates: where those stand.
        judgements: those of this image for the query.
    """

    ranked: RankedImage
    why: Why
    marks: Sequence[Mark]
    bars: Sequence[Bar]
    view_box: Box | None
    other_ranks: dict[str, int]
    file: Row
    is_relevant: bool
    relevance: list[str]
    labels: list[tuple[ImageLabel, bool]]
    near_duplicates: RankedGroup
    judgements: Sequence[JudgementRow]


class SystemResults(NamedTuple):
    """The results under one system, and where it ranks the images that the query should find.

    Attributes:
        system: its name.
        results: best first.
        expected: where the images stand that the query should find.
        untested: why the query is no test of the system, a sentence for each source that is circular with it.
        note: what else is to be known of how it answered; "" for nothing.
        places: how many decimal places of its scores are shown.
    """

    system: str
    results: list[ExplainedImage]
    expected: RankedGroup
    untested: list[str]
    note: str = ""
    places: int = 3


def rank_group(images: Iterable[str], keys: Integers, image_ids: Sequence[str]) -> RankedGroup:
    """Return where images stand: exact ranks over the whole gallery, by its one tie rule.

    Args:
        images: any images; those that are not in the gallery are left out.
        keys: ``(n_images,)`` int64, the sort keys of their scores (:func:`text2image.retrieval.scores.sort_keys`).
        image_ids: the gallery, sorted.
    """
    places = ((bisect_left(image_ids, image), image) for image in set(images))
    in_gallery = [place for place, image in places if image_ids[place : place + 1] == [image]]
    scores, columns = from_keys(np.sort(keys[in_gallery])[::-1][:SHOWN])
    shown = [
        RankedImage(int(rank), float(score), image_ids[column])
        for rank, score, column in zip(ranks_by_keys(keys, columns), scores, columns, strict=True)
    ]
    return RankedGroup(shown, len(in_gallery))


class Explainer(NamedTuple):
    """What results of one query are explained from.

    Attributes:
        annotations: labels and near-duplicates.
        queries: the label sources' queries that the query is.
        judgements: ``{image_id: judgements for the query}``.
        image_ids: the gallery, sorted.
        keys: ``{system: (n_images,) int64}``, the sort keys of the scores under all systems that are compared.
        circular: why pairs ``(system, source)`` are circular.
    """

    annotations: Annotations
    queries: Sequence[SourceQuery]
    judgements: Mapping[str, Sequence[JudgementRow]]
    image_ids: Sequence[str]
    keys: Mapping[str, Integers]
    circular: Mapping[tuple[str, str], str]

    def explain(self, system: str, found: Found) -> SystemResults:
        """Return what ``system`` found, with all that is known of the images.

        A query should find the images that are counted as relevant, and those that carry its text.
        """
        expected = {image for query in self.queries for image in (*query.grades, *query.labelled)}
        group = rank_group(expected, self.keys[system], self.image_ids)
        untested = [
            f"Not a test of {system}, where even wrong labels of {query.source} are found first: {why}."
            for query in self.queries
            if (why := self.circular.get((system, query.source)))
        ]
        longest = longest_share(found.reasons)
        explained = [
            self._explain_image(system, one, why, longest)
            for one, why in zip(found.results, found.reasons, strict=True)
        ]
        scores = [one.score for one in found.results]
        return SystemResults(system, explained, group, untested, found.note, places(scores))

    def _explain_image(self, system: str, ranked: RankedImage, why: Why, longest: float) -> ExplainedImage:
        image = ranked.image_id
        other_ranks = {
            other: rank_group([image], keys, self.image_ids).shown[0].rank
            for other, keys in self.keys.items()
            if other != system
        }
        asked = {(query.source, query_id(query.text)) for query in self.queries}
        file, labels = self.annotations.files[image], self.annotations.labels.get(image, ())
        near = self.annotations.near_duplicates(image)
        return ExplainedImage(
            ranked,
            why,
            marks(why),
            bars(why, longest),
            view_box(why.view, int(file["width"]), int(file["height"])),
            other_ranks,
            file,
            any(image in query.grades for query in self.queries),
            [self._relevance(image, query) for query in self.queries],
            [(label, (label.source, query_id(normalise_text(label.text))) in asked) for label in labels],
            rank_group(near, self.keys[system], self.image_ids),
            self.judgements.get(image, ()),
        )

    def _relevance(self, image: str, query: SourceQuery) -> str:
        """Say whether a source counts an image as relevant for the query, and why."""
        grade = query.grades.get(image)
        counted = "not counted as relevant" if grade is None else f"counted as relevant, grade {grade}"
        if image in query.labelled:
            return f"{query.source}: {counted}, since it carries the text"
        if grade is None:
            return f"{query.source}: {counted}"
        if image in self.judgements:
            return f"{query.source}: {counted}, since it was judged so"
        return f"{query.source}: {counted}, as a near-duplicate of an image that carries the text"
