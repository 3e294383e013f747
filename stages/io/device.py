"""Which processor a model runs on."""

from __future__ import annotations

import torch

from stages.io.console import InputError


def pick_device(wanted: str) -> torch.device:
    """Return the device that ``runtime.device`` asks for: auto, cpu, cuda or mps.

    Raises:
        InputError: it is not there.
    """
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if wanted == "auto":
        return torch.device(next(name for name in ("cuda", "mps", "cpu") if there[name]))
    if not there[wanted]:
        raise InputError(
            f"expected a device that this machine has for runtime.device in params.yaml, found '{wanted}' "
            f"(here: {', '.join(name for name, here in there.items() if here)})"
        )
    return torch.device(wanted)
