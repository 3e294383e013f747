"""What is kept of a run, so that a killed one goes on, and one that nothing changed does not train again.

It lies in ``.cache/tuning/RUN/KEY/``, outside the stage's outputs, which DVC removes before the stage runs. KEY
names everything that determines the trained weights and the history of epochs, the code that trains included:
other settings, data or code start anew.

- ``checkpoint.pt``, after every epoch: all that a killed run needs to go on, bit for bit on a CPU.
- ``finished.pt``: the best weights and the history. It takes the place of the checkpoint, and of what was kept of
  the same run when it last finished: of a large model, either is gigabytes.
"""

import inspect
import shutil
from pathlib import Path
from typing import Any

import torch

from text2image.base.store import cache_root, fingerprint
from text2image.evaluation.ranked import best_rank
from text2image.formats.files import atomic_write, sha256
from text2image.queries.relevance import LABELLED
from text2image.retrieval.ranking import ranks

PACKAGE = Path(__file__).parent
AFTER_TRAINING = {"__init__.py", "export.py", "interpolate.py", "report.py"}
"""Modules that see a run only once it is trained, and so do not determine its weights."""


def code(package: Path) -> dict[str, str]:
    """Return what names the code that trains: hashes of this package's modules, and the rules that it takes over."""
    modules = {path.relative_to(package).as_posix(): path for path in sorted(package.rglob("*.py"))}
    hashes = {name: sha256(path) for name, path in modules.items() if path.name not in AFTER_TRAINING}
    rules = {rule.__name__: inspect.getsource(rule) for rule in (ranks, best_rank)}
    return hashes | rules | {"labelled": str(LABELLED), "torch": torch.__version__}


class Checkpoint:
    """What is kept of one run with one set of determinants.

    Attributes:
        run: the name of the run.
        folder: where its files lie.
    """

    def __init__(self, run: str, determinants: Any, root: Path | None = None) -> None:
        key = fingerprint({"run": determinants, "code": code(PACKAGE)})
        self.run, self.folder = run, (root or cache_root()) / "tuning" / run / key
        self._going, self._finished = self.folder / "checkpoint.pt", self.folder / "finished.pt"

    def save(self, state: dict[str, Any]) -> None:
        """Keep the state after an epoch beside that of PyTorch's random numbers."""
        generators = {"cpu": torch.get_rng_state(), "cuda": torch.cuda.get_rng_state_all()}
        with atomic_write(self._going) as temporary:
            torch.save({"state": state, "generators": generators}, temporary)

    def load(self, device: torch.device) -> dict[str, Any] | None:
        """Return the state after the last epoch and set the random numbers back to it; None if there is none."""
        if not self._going.exists():
            return None
        kept = torch.load(self._going, map_location="cpu", weights_only=True)
        torch.set_rng_state(kept["generators"]["cpu"])
        if device.type == "cuda":
            torch.cuda.set_rng_state_all(kept["generators"]["cuda"])
        state: dict[str, Any] = kept["state"]
        return state

    def finish(self, result: dict[str, Any]) -> None:
        """Keep what training gave in place of the checkpoint, and of this run's earlier results."""
        with atomic_write(self._finished) as temporary:
            torch.save(result, temporary)
        self._going.unlink(missing_ok=True)
        for earlier in self.folder.parent.glob(f"*/{self._finished.name}"):
            if earlier != self._finished:  # never a checkpoint: another experiment may be writing it
                shutil.rmtree(earlier.parent, ignore_errors=True)

    def load_finished(self) -> dict[str, Any] | None:
        """Return what training gave; None where it has not ended."""
        if not self._finished.exists():
            return None
        result: dict[str, Any] = torch.load(self._finished, map_location="cpu", weights_only=True)
        return result
