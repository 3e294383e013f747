"""Epochs: batches, loss, one step each; measured, logged and kept after every epoch; stopped early."""

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import torch
from open_clip.loss import ClipLoss, SigLipLoss
from torch import Tensor, nn

from text2image.base.console import progress
from text2image.finetuning.checkpoint import Checkpoint
from text2image.finetuning.data import LearningData, Pair, separate_batches
from text2image.finetuning.measure import measure_part
from text2image.finetuning.network.inputs import Inputs
from text2image.finetuning.settings import FinetuneRun

MOMENTUM = 0.9
SIGMOID_BIAS = -10.0
"""Where SigLIP starts (Zhai et al., 2023): most pairs of a batch do not belong together."""

Weights = dict[str, Tensor]
Figures = dict[str, float]
Log = Callable[[Figures], None]


class Loss:
    """The loss of a batch of pairs, ``images, texts: (n, dim)`` unit rows, row i with row i.

    ``contrastive``: ``open_clip.loss.ClipLoss`` (Radford et al., 2021); ``sigmoid``:
    ``open_clip.loss.SigLipLoss`` (Zhai et al., 2023).
    """

    def __init__(self, network: nn.Module, run: FinetuneRun) -> None:
        device, own = network.logit_scale.device, getattr(network, "logit_bias", None)
        bias = own if own is not None else torch.tensor(SIGMOID_BIAS, device=device)
        self._function = partial(SigLipLoss(), logit_bias=bias) if run.loss == "sigmoid" else ClipLoss()
        fixed = None if run.temperature is None else torch.tensor(-math.log(run.temperature), device=device)
        self._log_scale = network.logit_scale if fixed is None else fixed

    @property
    def scale(self) -> Tensor:
        """One over the temperature: ``(1,)`` or ``()``."""
        return self._log_scale.exp()

    def __call__(self, images: Tensor, texts: Tensor) -> Tensor:
        """Return the loss, ``()``."""
        loss: Tensor = self._function(images, texts, self.scale)
        return loss


class Progress(NamedTuple):
    """How far a run is; ``epoch`` counts finished ones.

    ``history`` has a row an epoch, the base model's first; ``best`` are the weights of ``best_epoch``.
    """

    epoch: int
    best_epoch: int
    best: Weights
    history: list[Figures]


class Trainer:
    """What an epoch needs: the network, the parameters that train, what they learn from, loss and optimiser."""

    def __init__(
        self, inputs: Inputs, chosen: Mapping[str, nn.Parameter], data: LearningData, run: FinetuneRun
    ) -> None:
        self.inputs, self.chosen, self.data, self.run = inputs, chosen, data, run
        self.loss = Loss(inputs.towers.network, run)
        self.base = snapshot(chosen)
        self.optimiser = make_optimiser(chosen, run)
        self.device = next(iter(chosen.values())).device

    def validate(self) -> Figures:
        """Return the means over the validation part."""
        measured = measure_part(self.inputs, self.data.validation, self.loss.scale.item())
        return {f"validation/{name}": value for name, value in measured.means().items()}

    def epoch(self, number: int) -> Figures:
        """Step once for every batch and return the mean loss and the last learning rate."""
        dealt = [self.data.pairs[i] for i in torch.randperm(len(self.data.pairs)).tolist()]
        batches = separate_batches(dealt, self.run.batch, self.data.relevant)
        total, rate = 0.0, 0.0
        for step, batch in enumerate(batches, start=1):
            rate = learning_rate(self.run, (number + step / len(batches)) / self.run.epochs)
            total += self._step(batch, rate) * len(batch)
        n_pairs = sum(map(len, batches))
        return {"train/loss": total / max(1, n_pairs), "train/learning_rate": rate}

    def _step(self, batch: list[Pair], rate: float) -> float:
        """Move the parameters by one batch and return its loss."""
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        images = self.inputs.image_rows([pair.image for pair in batch], training=True)
        texts = self.inputs.text_rows([pair.query for pair in batch], training=True)
        value = self.loss(images, texts)
        self.optimiser.zero_grad()
        value.backward()
        self.optimiser.step()
        if self.run.weight_decay:
            with torch.no_grad():
                for name, parameter in self.chosen.items():
                    parameter.lerp_(self.base[name], min(1.0, rate * self.run.weight_decay))
        return float(value.item())


def train(trainer: Trainer, checkpoint: Checkpoint, log: Log) -> Progress:
    """Train, and return the weights of the epoch with the lowest validation loss.

    Epoch 0 is the base model. Training ends after ``run.epochs``, or when ``run.patience`` epochs
    brought no lower validation loss. Weight decay pulls towards the base model's weights, not to zero
    (L2-SP; Li, Grandvalet and Davoine, 2018, https://arxiv.org/abs/1802.01483). A run that is kept as
    finished is returned as it is; one that was killed goes on. Both log their earlier epochs again.
    """
    finished = checkpoint.load_finished()
    state = _progress(finished, trainer) if finished else _resume(checkpoint, trainer)
    for row in state.history:
        log(row)
    if finished:
        return state
    run, pairs = trainer.run, len(trainer.data.pairs)
    title, done = f"finetune {checkpoint.run}", state.epoch * pairs
    with progress(total=run.epochs * pairs, done=done, unit="pair", title=title) as bar:
        while state.epoch < run.epochs and state.epoch - state.best_epoch < run.patience:
            row = trainer.epoch(state.epoch) | trainer.validate()
            state = _next(state, row, trainer.chosen)
            now = {"now": snapshot(trainer.chosen), "optimiser": trainer.optimiser.state_dict()}
            checkpoint.save(state._asdict() | now)
            log(row)
            bar.update(pairs)
    checkpoint.finish(state._asdict())
    return state


def make_optimiser(chosen: Mapping[str, nn.Parameter], run: FinetuneRun) -> torch.optim.Optimizer:
    """Return Adam or SGD with momentum.

    Adam gives every weight a step of the same size. In a ConSE head that drowns the class probabilities,
    which are rare and small, in 1,280 features that are always on; SGD's steps follow what was seen.
    """
    if run.optimiser == "adam":
        return torch.optim.Adam(chosen.values(), lr=run.learning_rate)
    return torch.optim.SGD(chosen.values(), lr=run.learning_rate, momentum=MOMENTUM)


def _next(state: Progress, row: Figures, chosen: Mapping[str, nn.Parameter]) -> Progress:
    """Return the progress after one more epoch."""
    lowest = min(earlier["validation/loss"] for earlier in state.history)
    better = row["validation/loss"] < lowest
    return Progress(
        state.epoch + 1,
        state.epoch + 1 if better else state.best_epoch,
        snapshot(chosen) if better else state.best,
        [*state.history, row],
    )


def _resume(checkpoint: Checkpoint, trainer: Trainer) -> Progress:
    """Set weights and optimiser back to the last checkpoint; without one, begin."""
    kept = checkpoint.load(trainer.device)
    if kept is None:
        return Progress(0, 0, trainer.base, [trainer.validate()])
    set_weights(trainer.chosen, kept["now"])
    trainer.optimiser.load_state_dict(kept["optimiser"])
    return _progress(kept, trainer)


def _progress(kept: Mapping[str, Any], trainer: Trainer) -> Progress:
    best = {name: value.to(trainer.device) for name, value in kept["best"].items()}
    return Progress(kept["epoch"], kept["best_epoch"], best, kept["history"])


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
def set_weights(chosen: Mapping[str, nn.Parameter], weights: Mapping[str, Tensor]) -> None:
    """Set the weights."""
    for name, parameter in chosen.items():
        parameter.copy_(weights[name])
