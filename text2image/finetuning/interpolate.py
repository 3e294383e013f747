"""WiSE-FT: a model between the base model and the tuned one.

Wortsman et al., 2022, "Robust fine-tuning of zero-shot models", https://arxiv.org/abs/2109.01903: weights
``(1 - a) · base + a · tuned`` often beat both, on the data tuned for and away from it. The share ``a`` is
the one with the lowest validation loss: of few queries MRR and HitRate move in steps, the loss does not.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch

from text2image.finetuning.loop import Weights, put_back
from text2image.finetuning.measure import Found
from text2image.finetuning.towers import Towers

STEPS = 10


class Point(NamedTuple):
    """One mix: the share of the tuned weights, and what it finds on the validation part."""

    weight: float
    found: Found


def mix(towers: Towers, base: Weights, tuned: Weights, weight: float) -> None:
    """Set the towers' weights to ``(1 - weight) · base + weight · tuned``, exact at both ends."""
    parameters = {name: towers.parameters()[name] for name in tuned}
    put_back(parameters, {name: torch.lerp(base[name], tuned[name], weight) for name in tuned})


def curve(towers: Towers, base: Weights, tuned: Weights, find: Callable[[], Found]) -> list[Point]:
    """Return what each mix from the base model (0) to the tuned one (1) finds, in tenths."""
    points = []
    for step in range(STEPS + 1):
        mix(towers, base, tuned, step / STEPS)
        points.append(Point(step / STEPS, find()))
    return points


def lowest_loss(points: list[Point]) -> Point:
    """Return the mix with the lowest validation loss; of equals the one nearest to the base model."""
    return min(points, key=lambda point: (point.found.loss.mean(), point.weight))
