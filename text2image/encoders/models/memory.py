"""Is there memory for a model? Asked before it is loaded, since a machine that runs out kills the process."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from text2image.base.console import InputError

if TYPE_CHECKING:
    import torch

CGROUP = Path("/sys/fs/cgroup")
TEMPORARY = 3  # what one image takes, in multiples of its largest module's input and output: measured


def require_memory(name: str, size: dict[str, Any], device: torch.device, *, copies: int) -> None:
    """Return if a model fits with one image at a time: a refusal is right whatever the batch size.

    Args:
        name: the model.
        size: a :class:`text2image.encoders.models.size.Size` as a dictionary, or what is known of one.
        device: where the model will compute.
        copies: of the weights in memory while they are loaded: 1 from safetensors, which are mapped, else 2.

    Raises:
        InputError: it does not.
    """
    on_gpu = device.type == "cuda"
    images = TEMPORARY * size.get("image_bytes", 0)
    needed = size["weight_bytes"] * copies + (0 if on_gpu else images)
    _require(name, size, needed, free_memory(), "memory")
    if on_gpu:
        _require(name, size, size["weight_bytes"] + images, free_on_gpu(device), "GPU memory")


def _require(name: str, size: dict[str, Any], needed: int, free: int, kind: str) -> None:
    if needed > free:
        parameters = size.get("parameters")
        about = f", {parameters / 1e6:,.0f} million parameters" if parameters else ""
        raise InputError(
            f"model '{name}' needs about {gigabytes(needed)} of {kind} (estimated{about}), "
            f"{gigabytes(free)} are free: use a smaller model or a larger machine"
        )


def gigabytes(count: int) -> str:
    """Return a number of bytes as people read it."""
    return f"{count / 1e9:,.1f} GB"


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


def free_on_gpu(device: torch.device) -> int:
    """Return the bytes that are free on a CUDA device."""
    import torch

    return int(torch.cuda.mem_get_info(device)[0])
