"""Which images answer a query: those that carry its text, their near-duplicates, and those judged relevant."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from text2image.base.arrays import Integers
from text2image.formats.texts import Query
from text2image.formats.trec import Qrels
from text2image.queries.generic import is_generic

LABELLED = 2
"""The grade of an image that is relevant by its label, on the scale of judgements (0 to 3)."""

TOO_MANY = "fits too many images"
TOO_MANY_ALIKE = "fits too many images, their near-duplicates counted"
GENERIC = "too generic to search for"
NOTHING_LEFT = "no relevant image left after judgements"


class LeftOut(NamedTuple):
    """A query that is not asked, and why."""

    query_id: str
    text: str
    reason: str


def join_groups(group_of: Mapping[str, int], alike: Integers) -> dict[str, int]:
    """Return groups of images, joined where every image of one is alike to every image of the other.

    There are no chains: what a group is alike to in some of its images only stays apart. Groups come in the order of
    their first images, and each joins the first that it can.

    Args:
        group_of: ``{image_id: near-duplicate group}`` of the whole gallery; groups stay whole.
        alike: ``(n_pairs, 2)`` int64, positions in the sorted gallery of images that a model holds for the same.

    Returns:
        ``{image_id: group}``, numbered by first appearance in the sorted gallery.
    """
    images = sorted(group_of)
    neighbours: dict[int, set[int]] = defaultdict(set)
    for left, right in alike.tolist():
        neighbours[left].add(right)
        neighbours[right].add(left)
    units: dict[int, list[int]] = defaultdict(list)
    for position, image in enumerate(images):
        units[group_of[image]].append(position)
    joined: list[list[int]] = []
    at: dict[int, int] = {}
    for unit in units.values():
        near = sorted({at[other] for other in neighbours[unit[0]] if other in at})
        number = next(
            (n for n in near if all(neighbours[image].issuperset(joined[n]) for image in unit)), len(joined)
        )
        if number == len(joined):
            joined.append([])
        joined[number].extend(unit)
        at.update(dict.fromkeys(unit, number))
    return {image: at[position] for position, image in enumerate(images)}


def near_duplicates_of(group_of: Mapping[str, int]) -> dict[str, list[str]]:
    """Return ``{image_id: all images of its near-duplicate group, itself included}``, sorted."""
    members: dict[int, list[str]] = defaultdict(list)
    for image_id in sorted(group_of):
        members[group_of[image_id]].append(image_id)
    return {image_id: members[group] for image_id, group in group_of.items()}


def judge_queries(
    queries: Sequence[Query],
    near: Mapping[str, Sequence[str]],
    judged: Mapping[str, Mapping[str, int]],
    *,
    max_relevant_share: float,
    generic_words: Sequence[str],
) -> tuple[Qrels, list[LeftOut]]:
    """Return the graded relevance of every query that is worth asking, and the queries that are left out.

    Args:
        queries: with the images that carry each text.
        near: ``{image_id: images that count as the same}``; every image of the gallery is a key.
        judged: ``{query_id: {image_id: grade}}``, which overrides what follows from the labels, image by image.
        max_relevant_share: a text is left out that more than this share of the gallery answers, near-duplicates
            of the images that carry it included (never one that a single image answers).
        generic_words: a text of these words alone is left out, and so are calls to action in many languages
            (:func:`text2image.queries.generic.is_generic`).

    Returns:
        ``{query_id: {image_id: grade}}``, grades 1 to 3, and what is left out, in the queries' order.
    """
    limit = max(1.0, max_relevant_share * len(near))
    relevance: Qrels = {}
    left_out: list[LeftOut] = []
    for query in queries:
        by_label = {image: LABELLED for carrier in query.relevant for image in near[carrier]}
        graded = {**by_label, **judged.get(query.query_id, {})}
        grades = {image: grade for image, grade in graded.items() if grade > 0 and image in near}
        reason = (
            GENERIC
            if is_generic(query.text, generic_words)
            else why_unanswerable(len(query.relevant), len(by_label), len(grades), limit)
        )
        if reason:
            left_out.append(LeftOut(query.query_id, query.text, reason))
        else:
            relevance[query.query_id] = grades
    return relevance, left_out


def why_unanswerable(carrying: int, alike: int, left: int, limit: float) -> str | None:
    """Return why a query is left out: by the images that carry its text, those and their near-duplicates, and what is
    left after judgements; None if it is asked.
    """
    reasons = {TOO_MANY: carrying > limit, TOO_MANY_ALIKE: alike > limit, NOTHING_LEFT: not left}
    return next((reason for reason, holds in reasons.items() if holds), None)
