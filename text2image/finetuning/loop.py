"""Epochs: batches, loss, one step each; measured, logged and kept after every epoch; stopped early."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from text2image.finetuning.batches import Pair, apart
from text2image.finetuning.checkpoint import Checkpoint
from text2image.finetuning.inputs import Inputs
from text2image.finetuning.losses import Loss
from text2image.finetuning.measure import Questions, measure_part
from text2image.finetuning.settings import FinetuneRun

MOMENTUM = 0.9

Weights = dict[str, Tensor]
Log = Callable[[dict[str, float]], None]


class Learning(NamedTuple):
    """What a run learns from and is stopped by.

    ``relevant``: ``{query: images that answer it}`` of the training part; pairs are among these.
    """

    pairs: Sequence[Pair]
    relevant: Mapping[int, set[int]]
    validation: Questions


class Progress(NamedTuple):
    """How far a run is; ``epoch`` counts finished ones.

    ``history`` has a row an epoch, the base model's first; ``best`` are the weights of ``best_epoch``.
    """

    epoch: int
    best_epoch: int
    best: Weights
    history: list[dict[str, float]]


def train(
    inputs: Inputs,
    chosen: Mapping[str, nn.Parameter],
    learning: Learning,
    run: FinetuneRun,
    checkpoint: Checkpoint,
    log: Log,
) -> Progress:
    """Train ``chosen`` and return the weights of the epoch with the lowest validation loss.

    Epoch 0 is the base model. Training ends after ``run.epochs``, or when ``run.patience`` epochs
    brought no lower validation loss. Weight decay pulls towards the base model's weights, not to zero
    (L2-SP; Li, Grandvalet and Davoine, 2018, https://arxiv.org/abs/1802.01483).
    """
    loss = Loss(inputs.towers.network, run)
    base = snapshot(chosen)
    optimiser = make_optimiser(chosen, run)
    state = _resume(checkpoint, chosen, optimiser) or _begin(inputs, learning, loss, base)
    for row in state.history:
        log(row)
    while state.epoch < run.epochs and state.epoch - state.best_epoch < run.patience:
        started = time.perf_counter()
        trained = _epoch(inputs, chosen, base, learning, run, loss, optimiser, state.epoch)
        seconds = time.perf_counter() - started
        found = measure_part(inputs.all_images, inputs.all_texts, learning.validation, loss.scale.item())
        row = trained | {f"validation/{name}": value for name, value in found.means().items()}
        row |= {"train/pairs_per_second": len(learning.pairs) / seconds}
        state = _next(state, row, chosen)
        _keep(checkpoint, state, chosen, optimiser)
        log(row)
    return state


def make_optimiser(chosen: Mapping[str, nn.Parameter], run: FinetuneRun) -> torch.optim.Optimizer:
    """Return Adam or SGD with momentum.

    Adam gives every weight a step of the same size. In a ConSE head that drowns the class probabilities,
    which are rare and small, in 1,280 features that are always on; SGD's steps follow what was seen.
    """
    if run.optimiser == "adam":
        return torch.optim.Adam(chosen.values(), lr=run.learning_rate)
    return torch.optim.SGD(chosen.values(), lr=run.learning_rate, momentum=MOMENTUM)


def _begin(inputs: Inputs, learning: Learning, loss: Loss, base: Weights) -> Progress:
    found = measure_part(inputs.all_images, inputs.all_texts, learning.validation, loss.scale.item())
    return Progress(0, 0, base, [{f"validation/{name}": value for name, value in found.means().items()}])


def _next(state: Progress, row: dict[str, float], chosen: Mapping[str, nn.Parameter]) -> Progress:
    """Return the progress after one more epoch."""
    lowest = min(earlier["validation/loss"] for earlier in state.history)
    better = row["validation/loss"] < lowest
    return Progress(
        state.epoch + 1,
        state.epoch + 1 if better else state.best_epoch,
        snapshot(chosen) if better else state.best,
        [*state.history, row],
    )


def _epoch(
    inputs: Inputs,
    chosen: Mapping[str, nn.Parameter],
    base: Weights,
    learning: Learning,
    run: FinetuneRun,
    loss: Loss,
    optimiser: torch.optim.Optimizer,
    epoch: int,
) -> dict[str, float]:
    """Step once for every batch and return the mean loss and the last learning rate."""
    dealt = [learning.pairs[i] for i in torch.randperm(len(learning.pairs)).tolist()]
    batches = apart(dealt, run.batch, learning.relevant)
    total, rate = 0.0, 0.0
    for number, batch in enumerate(batches):
        rate = learning_rate(run, (epoch + (number + 1) / len(batches)) / run.epochs)
        for group in optimiser.param_groups:
            group["lr"] = rate
        images = inputs.image_rows([pair.image for pair in batch], training=True)
        texts = inputs.text_rows([pair.query for pair in batch], training=True)
        value = loss(images, texts)
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
        if run.weight_decay:
            _towards(chosen, base, rate * run.weight_decay)
        total += value.item() * len(batch)
    n_pairs = sum(map(len, batches))
    return {"train/loss": total / max(1, n_pairs), "train/learning_rate": rate}


@torch.no_grad()
def _towards(chosen: Mapping[str, nn.Parameter], base: Weights, share: float) -> None:
    for name, parameter in chosen.items():
        parameter.lerp_(base[name], min(1.0, share))


def learning_rate(run: FinetuneRun, done: float) -> float:
    """Return the rate when a share ``done`` in (0, 1] of all epochs is over: warm-up, then half a cosine."""
    if done < run.warm_up:
        return run.learning_rate * done / run.warm_up
    rest = (done - run.warm_up) / max(1e-9, 1.0 - run.warm_up)
    return run.learning_rate * 0.5 * (1.0 + math.cos(math.pi * min(1.0, rest)))


def snapshot(chosen: Mapping[str, nn.Parameter]) -> Weights:
    """Return a copy of the weights."""
    return {name: parameter.detach().clone() for name, parameter in chosen.items()}


@torch.no_grad()
def put_back(chosen: Mapping[str, nn.Parameter], weights: Mapping[str, Tensor]) -> None:
    """Set the weights."""
    for name, parameter in chosen.items():
        parameter.copy_(weights[name])


def _keep(
    checkpoint: Checkpoint, state: Progress, chosen: Mapping[str, nn.Parameter], optimiser: Any
) -> None:
    checkpoint.save(state._asdict() | {"now": snapshot(chosen), "optimiser": optimiser.state_dict()})


def _resume(checkpoint: Checkpoint, chosen: Mapping[str, nn.Parameter], optimiser: Any) -> Progress | None:
    device = next(iter(chosen.values())).device
    kept = checkpoint.load(device)
    if kept is None:
        return None
    put_back(chosen, kept["now"])
    optimiser.load_state_dict(kept["optimiser"])
    best = {name: value.to(device) for name, value in kept["best"].items()}
    return Progress(kept["epoch"], kept["best_epoch"], best, kept["history"])
