"""Checkpoints of a run under ``.cache/``, so that a killed one goes on, bit for bit on a CPU.

They lie outside the stage's outputs, which DVC removes before the stage runs, in a place named by
everything that determines the run, this package's source included: other settings, other data or other
code start anew.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import torch

from text2image.base.store import cache_root, fingerprint
from text2image.encoders.models import sha256
from text2image.formats.files import atomic_write


class Checkpoint:
    """One file, replaced whole after every epoch."""

    def __init__(self, determinants: Any) -> None:
        source = {path.name: sha256(path) for path in sorted(Path(__file__).parent.glob("*.py"))}
        key = fingerprint({"run": determinants, "source": source, "torch": torch.__version__})
        self.path = cache_root() / "tuning" / key / "checkpoint.pt"

    def save(self, state: dict[str, Any]) -> None:
        """Keep the state of the run beside that of PyTorch's random numbers."""
        generators = {"cpu": torch.get_rng_state(), "cuda": torch.cuda.get_rng_state_all()}
        with atomic_write(self.path) as temporary:
            torch.save({"state": state, "generators": generators}, temporary)

    def load(self, device: torch.device) -> dict[str, Any] | None:
        """Return the state that was kept last and set the random numbers back to it; None if there is none."""
        if not self.path.exists():
            return None
        kept = torch.load(self.path, map_location="cpu", weights_only=True)
        torch.set_rng_state(kept["generators"]["cpu"])
        if device.type == "cuda":
            torch.cuda.set_rng_state_all(kept["generators"]["cuda"])
        state: dict[str, Any] = kept["state"]
        return state

    def forget(self) -> None:
        """Remove what was kept, once the run's result is written."""
        shutil.rmtree(self.path.parent, ignore_errors=True)
