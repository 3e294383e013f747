"""The split as rows of images and queries: what is learned from, in batches, and what is measured on."""

from collections import defaultdict
from collections.abc import Mapping, Sequence, Set
from typing import NamedTuple

import numpy as np

from text2image.finetuning.measure import Questions
from text2image.queries.relevance import LABELLED
from text2image.queries.split import TRAIN, VALIDATION, SplitRow

SMALLEST = 2
"""A single pair has nothing to be told apart from."""


class Pair(NamedTuple):
    """An image and a text that it answers, as rows of whatever holds them."""

    image: int
    query: int


class Batch(NamedTuple):
    """Pairs, the images that answer their texts, and their own images."""

    pairs: list[Pair]
    answers: set[int]
    images: set[int]


class Rows(NamedTuple):
    """The split by row: images sorted by id, queries sorted by id with their texts."""

    images: list[str]
    queries: list[str]
    texts: list[str]


class LearningData(NamedTuple):
    """What a run learns from and is stopped by.

    ``relevant``: ``{query: images that answer it}`` of the training part; pairs are among these.
    """

    pairs: Sequence[Pair]
    relevant: Mapping[int, set[int]]
    validation: Questions


def number_rows(split: Sequence[SplitRow]) -> Rows:
    """Number the images and queries of a split."""
    texts = {row.query_id: row.text for row in split if row.query_id}
    return Rows(sorted({row.image_id for row in split}), sorted(texts), [texts[q] for q in sorted(texts)])


def questions(split: Sequence[SplitRow], part: str, rows: Rows) -> Questions:
    """Return a part as something to measure on."""
    mine = [row for row in split if row.part == part]
    images, queries = sorted({row.image_id for row in mine}), sorted({r.query_id for r in mine if r.query_id})
    column_of, line_of = _places(images), _places(queries)
    pairs = sorted((line_of[row.query_id], column_of[row.image_id]) for row in mine if row.query_id)
    table = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    image_row, query_row = _places(rows.images), _places(rows.queries)
    return Questions(
        [image_row[i] for i in images], [query_row[q] for q in queries], table[:, 0], table[:, 1]
    )


def learning_data(split: Sequence[SplitRow], rows: Rows) -> LearningData:
    """Return what is learned from: training pairs; only marginally relevant ones are not pulled together."""
    image_row, query_row = _places(rows.images), _places(rows.queries)
    relevant: dict[int, set[int]] = defaultdict(set)
    pairs = []
    for row in split:
        if row.part == TRAIN and row.query_id:
            pair = Pair(image_row[row.image_id], query_row[row.query_id])
            relevant[pair.query].add(pair.image)
            if row.relevance >= LABELLED:
                pairs.append(pair)
    return LearningData(sorted(pairs), relevant, questions(split, VALIDATION, rows))


def separate_batches(pairs: Sequence[Pair], size: int, relevant: Mapping[int, Set[int]]) -> list[list[Pair]]:
    """Divide pairs into batches of at most ``size`` in which no image answers another's text.

    Several images share a text here, and an image has several texts: in a plain batch, a contrastive loss
    would push apart what belongs together. Each pair goes to the first batch with room that it does not
    collide with, so that batches are full where the data allows it. Batches of a single pair are left out.

    Args:
        pairs: in the order in which they are dealt out.
        size: of a batch.
        relevant: ``{query: images that answer it}``.
    """
    batches: list[Batch] = []
    with_room: list[Batch] = []
    for pair in pairs:
        mine = relevant[pair.query]
        fitting = (b for b in with_room if pair.image not in b.answers and not mine & b.images)
        batch = next(fitting, None)
        if batch is None:
            batch = Batch([], set(), set())
            batches.append(batch)
            with_room.append(batch)
        batch.pairs.append(pair)
        batch.answers.update(mine)
        batch.images.add(pair.image)
        if len(batch.pairs) == size:
            with_room.remove(batch)
    return [batch.pairs for batch in batches if len(batch.pairs) >= SMALLEST]


def _places(names: Sequence[str]) -> dict[str, int]:
    return {name: place for place, name in enumerate(names)}
