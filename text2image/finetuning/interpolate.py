"""WiSE-FT: a model between the base model and the tuned one.

Wortsman et al., 2022, "Robust fine-tuning of zero-shot models", https://arxiv.org/abs/2109.01903: weights
``(1 - a) · base + a · tuned`` often beat both, on the data tuned for and away from it. The share ``a`` is
the one with the lowest validation loss: of few queries MRR and HitRate move in steps, the loss does not.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch

from text2image.finetuning.loop import Weights, set_weights
from text2image.finetuning.measure import PerQuery, Questions
from text2image.finetuning.network.towers import Towers

STEPS = 10


class Point(NamedTuple):
    """One mix: the share of the tuned weights, and how well it does on the validation part."""

    weight: float
    validation: PerQuery


class Mixed(NamedTuple):
    """The tuned weights mixed with the base model's.

    Attributes:
        points: the curve of mixes; ``chosen`` is the one taken.
        base, tuned: how well both models do on the test part, query by query.
        test: the test part, as rows of images and texts.
    """

    points: list[Point]
    chosen: Point
    base: PerQuery
    tuned: PerQuery
    test: Questions


def mix(towers: Towers, base: Weights, tuned: Weights, weight: float) -> None:
    """Set the towers' weights to ``(1 - weight) · base + weight · tuned``, exact at both ends."""
    parameters = {name: towers.parameters()[name] for name in tuned}
    set_weights(parameters, {name: torch.lerp(base[name], tuned[name], weight) for name in tuned})


def mix_with_base(
    towers: Towers,
    base: Weights,
    tuned: Weights,
    measured: Callable[[Questions], PerQuery],
    validation: Questions,
    test: Questions,
) -> Mixed:
    """Set the towers' weights to the mix with the lowest validation loss, then look at the test part once.

    Mixes go from the base model (0) to the tuned one (1) in tenths; of equals, the one nearest to the base
    is chosen.
    """
    points = []
    for step in range(STEPS + 1):
        mix(towers, base, tuned, step / STEPS)
        points.append(Point(step / STEPS, measured(validation)))
    chosen = min(points, key=lambda point: (point.validation.loss.mean(), point.weight))
    mix(towers, base, tuned, 0.0)
    before = measured(test)
    mix(towers, base, tuned, chosen.weight)
    return Mixed(points, chosen, before, measured(test), test)
