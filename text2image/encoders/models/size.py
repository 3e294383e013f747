"""How large an open_clip model is, found before it takes any memory, and whether there is memory for it.

A machine that runs out of memory kills the process.
"""

import logging
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import torch

from text2image.base.console import InputError
from text2image.encoders.models.towers import import_for
from text2image.encoders.settings import RESIZE_MODES, Model, checkpoint_directory

CGROUP = Path("/sys/fs/cgroup")
TEMPORARY = 3  # what one image takes, in multiples of its largest module's input and output: measured


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


class Input(NamedTuple):
    """What a model reads.

    Attributes:
        image_size: height and width of its pictures, in pixels.
        resize: how pictures become so large: squash, pad or crop.
        context_length: tokens of a text.
    """

    image_size: tuple[int, int]
    resize: str
    context_length: int


def measure_size(model: Model) -> Size | None:
    """Return the size of a model, or None where its architecture is not known on this machine."""
    found = measure(model)
    return found and found[0]


def measure(model: Model) -> tuple[Size, Input] | None:
    """Return the size of a model and what it reads, or None where its architecture is not known on this machine.

    The network is built on PyTorch's meta device, whose tensors have shapes but no memory, and an
    image without pixels is sent through it. Hub models have to be downloaded for it.
    """
    import_for(model.name)
    import open_clip

    from text2image.encoders.models.local_dir import text_tower_here

    logging.getLogger().setLevel(logging.ERROR)  # open_clip narrates every step at INFO and WARNING
    try:
        directory = checkpoint_directory(model.name)
        overrides = text_tower_here(directory) if directory else {}
        with torch.device("meta"):
            network = open_clip.create_model(
                model.name, load_weights=False, pretrained_text=False, device="meta", **overrides
            )
            return _measure(network.eval()), _input(network, model)
    except Exception:  # whatever an architecture of others may raise: it is then tried without
        return None


def _input(network: torch.nn.Module, model: Model) -> Input:
    """Return what a model of the registry, the hub or a directory reads; a registry's tag may resize in its own way."""
    import open_clip

    tag = open_clip.get_pretrained_cfg(model.name, model.pretrained or "") or {}
    own = tag.get("resize_mode") or network.visual.preprocess_cfg["resize_mode"]
    names = {mode: name for name, mode in RESIZE_MODES.items()}
    return Input(
        image_side(network),
        names[own] if model.resize == "model" else model.resize,
        model.context_length or network.context_length,
    )


def image_side(network: torch.nn.Module) -> tuple[int, int]:
    """Return the height and width of a network's pictures."""
    side = network.visual.image_size
    height, width = (side, side) if isinstance(side, int) else side
    return height, width


def _measure(network: torch.nn.Module) -> Size:
    most = 0

    def watch(_: torch.nn.Module, taken: tuple[Any, ...], given: Any) -> None:
        nonlocal most
        most = max(most, sum(item.nbytes for item in (*taken, given) if isinstance(item, torch.Tensor)))

    for module in network.modules():
        module.register_forward_hook(watch)
    with torch.inference_mode():
        features = network.encode_image(torch.empty(1, 3, *image_side(network)))
    parameters = list(network.parameters())
    weights = sum(tensor.nbytes for tensor in (*parameters, *network.buffers()))
    return Size(sum(item.numel() for item in parameters), features.shape[-1], weights, most)


def require_memory(name: str, size: dict[str, Any], device: torch.device, *, copies: int) -> None:
    """Return if a model fits with one image at a time: a refusal is right whatever the batch size.

    Args:
        name: the model.
        size: a :class:`Size` as a dictionary, or what is known of one.
        device: where the model will compute.
        copies: of the weights in memory while they are loaded: 1 from safetensors, which are mapped, else 2.

    Raises:
        InputError: it does not.
    """
    weights, images = size["weight_bytes"], TEMPORARY * size.get("image_bytes", 0)
    if device.type == "cuda":
        needs = [
            ("memory", weights * copies, free_memory()),
            ("GPU memory", weights + images, int(torch.cuda.mem_get_info(device)[0])),
        ]
    else:
        needs = [("memory", weights * copies + images, free_memory())]
    parameters = size.get("parameters")
    about = f", {parameters / 1e6:,.0f} million parameters" if parameters else ""
    for kind, needed, free in needs:
        if needed > free:
            raise InputError(
                f"model '{name}' needs about {needed / 1e9:,.1f} GB of {kind} (estimated{about}), "
                f"{free / 1e9:,.1f} GB are free: use a smaller model or a larger machine"
            )


def free_memory(cgroup: Path = CGROUP) -> int:
    """Return the bytes that this process may still take: of the machine's, and of its container's."""
    free = int(psutil.virtual_memory().available)
    try:
        limit = (cgroup / "memory.max").read_text().strip()
        used = int((cgroup / "memory.current").read_text())
        figures = dict(line.split() for line in (cgroup / "memory.stat").read_text().splitlines())
    except (OSError, ValueError):  # no container, or one of another kind
        return free
    if limit == "max":
        return free
    cached = int(figures.get("inactive_file", 0))  # given back when it is asked for
    return max(0, min(free, int(limit) - used + cached))
