"""Say which model is gone, where DVC can only say that a link in data/local_models leads nowhere.

The links are made by the stage ``local_models``, and their names say which key of params.yaml named the model.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from text2image.artifacts import ARTIFACTS
from text2image.base.console import InputError, one_line

KEYS = {
    "models": "models.{}.name",
    "bases": "finetune.runs.{}.base",
    "labels": "label.{}.model",
    "systems": "systems.{0}.model, or systems.{0}.by",
}
"""The params keys that name a model, by the folder of its link."""


class GoneModels(logging.Filter):
    """Keeps back what DVC logs of links in data/local_models that cannot be followed; ``reasons`` has these links."""

    def __init__(self, root: Path) -> None:
        super().__init__()
        self.folder = root / ARTIFACTS.local_models
        self.reasons: dict[Path, str] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        while error is not None:
            if isinstance(error, OSError) and isinstance(error.filename, str):
                path = Path(error.filename)
                if path.is_relative_to(self.folder) and path.relative_to(self.folder).parts[0] in KEYS:
                    self.reasons[path] = error.strerror or str(error)
                    return False
            error = error.__cause__
        return True

    def check(self) -> None:
        """Say which models they lead to.

        Raises:
            InputError: there were some.
        """
        if self.reasons:
            raise InputError("; ".join(self._sentence(link, reason) for link, reason in self.reasons.items()))

    def _sentence(self, link: Path, reason: str) -> str:
        kind, name, *inside = link.relative_to(self.folder).parts
        forget = ", or run `dvc repro -f local_models` if it no longer belongs to the model" if inside else ""
        return (
            f"expected {'a file of ' if inside else ''}the model of the params key {one_line(KEYS[kind].format(name))} at "
            f"{one_line(link.resolve())}, found: {one_line(reason)}; bring it back, or name another model in params.yaml{forget}"
        )


@contextmanager
def gone_models_named(root: Path) -> Iterator[None]:
    """Have DVC in this process, which runs in the block, say of a model that is gone which it is.

    Args:
        root: of the project.

    Raises:
        InputError: DVC could not read a model on this machine.
    """
    gone = GoneModels(root)
    handlers = list(logging.getLogger("dvc").handlers)  # a filter of a logger sees nothing of its children
    for handler in handlers:
        handler.addFilter(gone)
    try:
        yield
    finally:
        for handler in handlers:
            handler.removeFilter(gone)
    gone.check()
