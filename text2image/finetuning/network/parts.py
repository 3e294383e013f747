"""Which parameters train: the heads, the last blocks, low-rank updates (LoRA) of the blocks, or all.

LoRA (Hu et al., 2021, https://arxiv.org/abs/2106.09685) adds ``alpha / rank · B A`` to a frozen weight W.
Here it is a parametrisation of W by PyTorch's own means, which covers the packed weight of
``nn.MultiheadAttention`` and ordinary linear layers alike and leaves W as it is to the last bit. (peft's
layer for the former merges and unmerges W around every forward pass, which W does not survive exactly.)
"""

import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from text2image.base.console import InputError
from text2image.finetuning.network.towers import Towers
from text2image.finetuning.settings import FinetuneRun

BLOCKS = (
    "visual.transformer.resblocks",
    "visual.trunk.blocks",
    "visual.trunk.network.blocks",
    "visual.trunk.stages",
    "transformer.resblocks",
    "text.transformer.resblocks",
    "text.transformer.encoder.layer",
)
"""Where open_clip's towers keep their blocks, first to last."""


class LowRank(nn.Module):
    """``W + alpha / rank · B A``: B starts at zero, so that training starts from the base model."""

    def __init__(self, weight: Tensor, rank: int, alpha: float) -> None:
        super().__init__()
        rows, columns = weight.shape
        self.scale = alpha / rank
        self.a = nn.Parameter(torch.empty(rank, columns, device=weight.device))
        self.b = nn.Parameter(torch.zeros(rows, rank, device=weight.device))
        nn.init.kaiming_uniform_(self.a, a=math.sqrt(5))

    def forward(self, weight: Tensor) -> Tensor:
        """Return the updated weight."""
        return weight + self.scale * self.b @ self.a


def choose_parameters(towers: Towers, run: FinetuneRun) -> dict[str, nn.Parameter]:
    """Freeze all parameters but those that ``run.train`` names, and return these by name.

    Raises:
        InputError: the model has no such part.
    """
    for parameter in towers.parameters().values():
        parameter.requires_grad_(False)
    if run.train == "head" and not towers.slots:
        raise InputError(
            f"expected a base model with a projection to train (train: head), found none in '{run.base}'; "
            "train: last_blocks or lora trains its blocks"
        )
    if run.train == "lora":
        add_low_rank(towers.network, run.rank, run.alpha)
    chosen = {name: p for name, p in towers.parameters().items() if _trains(name, towers, run)}
    if not chosen:
        raise InputError(f"expected blocks to train (train: {run.train}) in '{run.base}', found none")
    for parameter in chosen.values():
        parameter.requires_grad_(True)
    return chosen


def _trains(name: str, towers: Towers, run: FinetuneRun) -> bool:
    if name in {"logit_scale", "logit_bias"}:
        return run.temperature is None
    if run.train == "lora":
        return ".parametrizations." in name and not name.endswith(".original")
    modules = [slot.name for slot in towers.slots]
    if run.train == "last_blocks":
        for path, blocks in _towers_blocks(towers.network):
            modules += [f"{path}.{index}" for index in range(len(blocks))[-run.blocks :]]
    return run.train == "all" or any(name == module or name.startswith(f"{module}.") for module in modules)


def _towers_blocks(network: nn.Module) -> Iterator[tuple[str, nn.Sequential | nn.ModuleList]]:
    modules = dict(network.named_modules())
    for path in BLOCKS:
        blocks = modules.get(path)
        if isinstance(blocks, nn.Sequential | nn.ModuleList):
            yield path, blocks


def add_low_rank(network: nn.Module, rank: int, alpha: float) -> None:
    """Put a low-rank update on every linear weight within the towers' blocks."""
    for _, blocks in _towers_blocks(network):
        for module in list(blocks.modules()):
            packed = isinstance(module, nn.MultiheadAttention) and module.in_proj_weight is not None
            if packed or isinstance(module, nn.Linear):
                name = "in_proj_weight" if packed else "weight"
                update = LowRank(getattr(module, name), rank, alpha)
                parametrize.register_parametrization(module, name, update)


def merge_low_rank(network: nn.Module) -> None:
    """Make every low-rank update part of the weight that it updates."""
    for module in list(network.modules()):
        if parametrize.is_parametrized(module):
            for name in list(module.parametrizations):
                parametrize.remove_parametrizations(module, name, leave_parametrized=True)
