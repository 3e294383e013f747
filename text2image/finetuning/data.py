"""The split as rows of images and queries: what is learned from, and what is measured on."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from text2image.finetuning.batches import Pair
from text2image.finetuning.measure import Questions
from text2image.queries.relevance import LABELLED
from text2image.queries.split import TRAIN, VALIDATION, SplitRow


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


def _places(names: Sequence[str]) -> dict[str, int]:
    return {name: place for place, name in enumerate(names)}
