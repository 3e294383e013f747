"""How many workers a cluster is given, and what each of them claims."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from text2image.base.console import InputError

CPU_SHARE = 0.5


class Pool(NamedTuple):
    """Workers that hold a model each.

    Attributes:
        actors: how many of them.
        cpus: logical CPUs that each claims; its threads use the machine's cores all the same.
        gpus: GPUs that each claims.
        sharing: how many of them share a machine and its cores.
    """

    actors: int
    cpus: float
    gpus: float
    sharing: int


def choose_pool(machines: Sequence[dict[str, float]], wanted: int | None, *, on_gpus: bool) -> Pool:
    """Choose one worker a GPU, or without GPUs one a machine, since its threads use every core.

    On CPUs a worker claims half of the smallest machine's. What is left lets Ray Data's own tasks run,
    without which nothing would, and lets a machine take over the worker of another that was lost.

    Args:
        machines: the resources of each live machine, as Ray names them: ``{"CPU": 8.0, "GPU": 1.0, …}``.
        wanted: ``runtime.ray.actors``: so many instead.
        on_gpus: the work runs on GPUs.

    Raises:
        InputError: no machine offers what a worker needs.
    """
    resource = "GPU" if on_gpus else "CPU"
    offers = [offer for machine in machines if (offer := machine.get(resource, 0.0)) > 0]
    if not offers:
        raise InputError(
            f"expected a machine with a {resource} in the Ray cluster (params key runtime.engine), "
            f"found {len(machines)} machines without one"
        )
    if on_gpus:
        total = math.floor(sum(offers))
        return Pool(min(wanted or total, total), 0.0, 1.0, math.floor(max(offers)))
    actors = wanted or len(offers)
    sharing = math.ceil(actors / len(offers))
    claim = min(offers) * CPU_SHARE / sharing
    return Pool(actors, math.floor(claim) if claim >= 1 else claim, 0.0, sharing)  # Ray takes no 1.5 CPUs
