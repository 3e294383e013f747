"""How large an open_clip model is, found without its weights and before it takes any memory."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, NamedTuple

from text2image.encoders.settings import Model, checkpoint_directory

if TYPE_CHECKING:
    import torch


class Size(NamedTuple):
    """What a model takes in float32, as all models are computed here.

    Attributes:
        parameters: their number, both towers.
        dimension: of an embedding.
        weight_bytes: parameters and buffers.
        image_bytes: the most that one module takes in and gives out while one image is embedded.
    """

    parameters: int
    dimension: int
    weight_bytes: int
    image_bytes: int


def measure_size(model: Model) -> Size | None:
    """Return the size of a model, or None where its architecture is not known on this machine.

    The network is built on PyTorch's meta device, whose tensors have shapes but no memory, and an
    image without pixels is sent through it. Hub models have to be downloaded for it.
    """
    import open_clip
    import torch

    from text2image.encoders.models.local_dir import (
        text_tower_here,  # registers the built-in model's image tower too
    )

    logging.getLogger().setLevel(logging.ERROR)  # open_clip narrates every step at INFO and WARNING
    try:
        directory = checkpoint_directory(model.name)
        overrides = {} if directory is None else text_tower_here(directory)
        with torch.device("meta"):
            network = open_clip.create_model(
                model.name, load_weights=False, pretrained_text=False, device="meta", **overrides
            )
            return _measure(network.eval())
    except Exception:  # whatever an architecture of others may raise: it is then tried without
        return None


def _measure(network: torch.nn.Module) -> Size:
    import torch

    parameters = list(network.parameters())
    most = 0

    def watch(_: torch.nn.Module, taken: tuple[Any, ...], given: Any) -> None:
        nonlocal most
        tensors = (item for item in (*taken, given) if isinstance(item, torch.Tensor))
        most = max(most, sum(_bytes(tensor) for tensor in tensors))

    for module in network.modules():
        module.register_forward_hook(watch)
    side = network.visual.image_size
    height, width = (side, side) if isinstance(side, int) else side
    with torch.inference_mode():
        features = network.encode_image(torch.empty(1, 3, height, width))
    weights = sum(_bytes(tensor) for tensor in (*parameters, *network.buffers()))
    return Size(sum(item.numel() for item in parameters), features.shape[-1], weights, most)


def _bytes(tensor: torch.Tensor) -> int:
    return int(tensor.numel() * tensor.element_size())
