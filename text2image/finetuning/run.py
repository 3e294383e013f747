"""One fine-tuning run from the split to the mixed weights; what it gives is returned, nothing is written."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from text2image.base.settings import Runtime
from text2image.collection.manifest import ImageFile
from text2image.encoders.vectors import text_determinants
from text2image.finetuning.checkpoint import Checkpoint
from text2image.finetuning.data import learning_data, number_rows, questions
from text2image.finetuning.interpolate import Mixed, mix_with_base
from text2image.finetuning.loop import Log, Progress, Trainer, set_weights, snapshot, train
from text2image.finetuning.measure import measure_part
from text2image.finetuning.network.inputs import PRECISION, Base, image_features_determinants, make_inputs
from text2image.finetuning.network.parts import choose_parameters, merge_low_rank
from text2image.finetuning.network.towers import Towers
from text2image.finetuning.settings import FinetuneRun
from text2image.queries.clusters import query_clusters
from text2image.queries.split import TEST, VALIDATION, SplitRow


class Data(NamedTuple):
    """What a run reads: the rows of the split, a file of each of its images, and their near-duplicate groups."""

    split: Sequence[SplitRow]
    files: Mapping[str, ImageFile]
    group_of: Mapping[str, int]


class Tuned(NamedTuple):
    """What a run made.

    Attributes:
        network: in one piece again, with the mixed weights.
        changed: names of the parameters that differ from the base model's.
        n_trained: how many figures were trained.
        progress: epochs and their history.
        mixed: how it was mixed, and the measures.
        clusters: ``(n_test_queries,)`` int64, the same for queries that share an image or a copy of it.
    """

    network: nn.Module
    changed: list[str]
    n_trained: int
    progress: Progress
    mixed: Mixed
    clusters: np.ndarray[Any, np.dtype[np.int64]]


def determinants(
    card: dict[str, Any],
    run: FinetuneRun,
    split: Sequence[SplitRow],
    files: Mapping[str, ImageFile],
    device: torch.device,
) -> Any:
    """Return all that determines a run besides the code: settings, base model, pixels, data and rounding.

    The number of threads is set here; see :func:`set_threads`.
    """
    versions = image_features_determinants(card), text_determinants(card, PRECISION)
    rendered = sorted({files[row.image_id].key for row in split if files[row.image_id].rendering})
    return [run.model_dump(), *versions, list(split), device.type, set_threads(run, device), *rendered]


def tune(
    base: Base, run: FinetuneRun, data: Data, runtime: Runtime, checkpoint: Checkpoint, log: Log
) -> Tuned:
    """Train, mix with the base model, and measure both on the test part.

    Args:
        base, run, data: the base model, the settings, and what is learned from and measured on.
        runtime: batch size and workers for features that are computed once.
        checkpoint: where the run is kept; one that is there is gone on with, a finished one is not trained again.
        log: called with the figures of every epoch, those before a resume included.
    """
    torch.manual_seed(run.seed)
    rows = number_rows(data.split)
    towers = Towers(base.model.network, run.dropout)
    original = snapshot(towers.parameters())
    chosen = choose_parameters(towers, run)
    images = [data.files[image] for image in rows.images]
    inputs = make_inputs(towers, base, images, rows.texts, runtime, frozen=run.train == "head")
    trainer = Trainer(inputs, chosen, learning_data(data.split, rows), run)
    progress = train(trainer, checkpoint, log)
    set_weights(chosen, progress.best)
    merge_low_rank(towers.network)
    tuned = {k: v for k, v in snapshot(towers.parameters()).items() if not torch.equal(v, original[k])}
    validation, test = (questions(data.split, part, rows) for part in (VALIDATION, TEST))
    measured = partial(measure_part, inputs, scale=trainer.loss.scale.item())
    mixed = mix_with_base(towers, original, tuned, measured, validation, test)
    groups = np.array([data.group_of[images[test.images[column]].image_id] for column in test.columns])
    return Tuned(
        network=towers.rejoined(),
        changed=sorted(tuned),
        n_trained=sum(parameter.numel() for parameter in chosen.values()),
        progress=progress,
        mixed=mixed,
        clusters=query_clusters(test.rows, groups, len(test.queries)),
    )


def set_threads(run: FinetuneRun, device: torch.device) -> int:
    """Let heads train on one core, which is faster for matrices so small; return the number in use.

    Sums are rounded by the number of cores that share them: it is one of a run's determinants.
    """
    if run.train == "head" and device.type == "cpu":
        torch.set_num_threads(1)
    return int(torch.get_num_threads())
