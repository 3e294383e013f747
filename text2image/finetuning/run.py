"""One fine-tuning run from the split to the mixed weights; what it found is returned, nothing is written."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from text2image.base.settings import Runtime
from text2image.collection.manifest import ImageFile
from text2image.encoders.models import EmbeddingModel
from text2image.finetuning.batches import Pair
from text2image.finetuning.checkpoint import Checkpoint
from text2image.finetuning.inputs import Inputs, trunk_features
from text2image.finetuning.interpolate import Point, curve, lowest_loss, mix
from text2image.finetuning.loop import Learning, Log, Progress, Weights, put_back, snapshot, train
from text2image.finetuning.losses import Loss
from text2image.finetuning.measure import Found, Questions, measure_part
from text2image.finetuning.parts import choose, merge_low_rank
from text2image.finetuning.settings import FinetuneRun
from text2image.finetuning.towers import Towers
from text2image.queries.clusters import query_clusters
from text2image.queries.relevance import LABELLED
from text2image.queries.split import TEST, TRAIN, VALIDATION, SplitRow


class Base(NamedTuple):
    """The model that a run starts from: its card (see :mod:`text2image.encoders.models`), and loaded."""

    card: dict[str, Any]
    model: EmbeddingModel


class Tuned(NamedTuple):
    """What a run made.

    Attributes:
        network: whole again, with the mixed weights.
        changed: names of the parameters that differ from the base model's.
        n_trained: how many figures were trained.
        progress: epochs and their history.
        points: the curve of mixes; ``chosen`` is the one taken.
        base, tuned: what both find on the test part, query by query.
        clusters: ``(n_test_queries,)`` int64, the same for queries that share an image or a copy of it.
        test: the test part, as rows of images and texts.
    """

    network: nn.Module
    changed: list[str]
    n_trained: int
    progress: Progress
    points: list[Point]
    chosen: Point
    base: Found
    tuned: Found
    clusters: np.ndarray[Any, np.dtype[np.int64]]
    test: Questions


class Rows(NamedTuple):
    """The split by row: images sorted by id, queries sorted by id with their texts."""

    images: list[str]
    queries: list[str]
    texts: list[str]


def rows_of(split: Sequence[SplitRow]) -> Rows:
    """Number the images and queries of a split."""
    texts = {row.query_id: row.text for row in split if row.query_id}
    return Rows(sorted({row.image_id for row in split}), sorted(texts), [texts[q] for q in sorted(texts)])


def questions(split: Sequence[SplitRow], part: str, rows: Rows) -> Questions:
    """Return a part as something to measure on."""
    mine = [row for row in split if row.part == part]
    images, queries = sorted({row.image_id for row in mine}), sorted({r.query_id for r in mine if r.query_id})
    column = {image: i for i, image in enumerate(images)}
    line = {query: i for i, query in enumerate(queries)}
    pairs = sorted((line[row.query_id], column[row.image_id]) for row in mine if row.query_id)
    table = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    image_row = {image: i for i, image in enumerate(rows.images)}
    query_row = {query: i for i, query in enumerate(rows.queries)}
    return Questions(
        [image_row[i] for i in images], [query_row[q] for q in queries], table[:, 0], table[:, 1]
    )


def learning(split: Sequence[SplitRow], rows: Rows) -> Learning:
    """Return what is learned from: training pairs; only marginally relevant ones are not pulled together."""
    image_row = {image: i for i, image in enumerate(rows.images)}
    query_row = {query: i for i, query in enumerate(rows.queries)}
    relevant: dict[int, set[int]] = defaultdict(set)
    pairs = []
    for row in split:
        if row.part == TRAIN and row.query_id:
            pair = Pair(image_row[row.image_id], query_row[row.query_id])
            relevant[pair.query].add(pair.image)
            if row.relevance >= LABELLED:
                pairs.append(pair)
    return Learning(sorted(pairs), relevant, questions(split, VALIDATION, rows))


def tune(
    base: Base,
    run: FinetuneRun,
    split: Sequence[SplitRow],
    files: Mapping[str, ImageFile],
    group_of: Mapping[str, int],
    runtime: Runtime,
    checkpoint: Checkpoint,
    log: Log,
) -> Tuned:
    """Train, mix with the base model, and measure both on the test part.

    Args:
        base: the base model.
        run: settings.
        split: all rows of the split.
        files: ``{image_id: file}`` of all images of the split.
        group_of: ``{image_id: near-duplicate group}``.
        runtime: batch size and workers for features that are computed once.
        checkpoint: where the run is kept; one that is there is gone on with.
        log: called with the figures of every epoch, those before a resume included.
    """
    torch.manual_seed(run.seed)
    rows = rows_of(split)
    towers = Towers(base.model.network, run.dropout)
    original = snapshot(towers.parameters())
    images = [files[image] for image in rows.images]
    chosen = choose(towers, run)
    features = (
        trunk_features(towers, base.model, images, rows.texts, base.card, runtime)
        if run.train == "head"
        else None
    )
    inputs = Inputs(towers, base.model, images, rows.texts, features)
    learn = learning(split, rows)
    progress = train(inputs, chosen, learn, run, checkpoint, log)
    put_back(chosen, progress.best)
    merge_low_rank(towers.network)
    tuned = {k: v for k, v in snapshot(towers.parameters()).items() if not torch.equal(v, original[k])}
    n_trained = sum(parameter.numel() for parameter in chosen.values())
    return _mixed(
        inputs, run, learn, original, tuned, progress, n_trained, questions(split, TEST, rows), group_of
    )


def _mixed(
    inputs: Inputs,
    run: FinetuneRun,
    learn: Learning,
    original: Weights,
    tuned: Weights,
    progress: Progress,
    n_trained: int,
    test: Questions,
    group_of: Mapping[str, int],
) -> Tuned:
    """Choose the mix on the validation part, then look at the test part once."""
    scale = Loss(inputs.towers.network, run).scale.item()

    def find(part: Questions) -> Found:
        return measure_part(inputs.all_images, inputs.all_texts, part, scale)

    points = curve(inputs.towers, original, tuned, lambda: find(learn.validation))
    best = lowest_loss(points)
    mix(inputs.towers, original, tuned, 0.0)
    before = find(test)
    mix(inputs.towers, original, tuned, best.weight)
    after = find(test)
    groups = np.array([group_of[inputs.images[test.images[c]].image_id] for c in test.columns])
    return Tuned(
        network=inputs.towers.whole(),
        changed=sorted(tuned),
        n_trained=n_trained,
        progress=progress,
        points=points,
        chosen=best,
        base=before,
        tuned=after,
        clusters=query_clusters(test.rows, groups, len(test.queries)),
        test=test,
    )


def threads(run: FinetuneRun, device: torch.device) -> int:
    """Let heads train on one core, which is faster for matrices so small; return the number in use.

    Sums are rounded by the number of cores that share them: it is one of a run's determinants.
    """
    if run.train == "head" and device.type == "cpu":
        torch.set_num_threads(1)
    return int(torch.get_num_threads())
