"""How params.yaml describes an embedding model: an entry of the section ``models``."""

from pathlib import Path

from text2image.base.settings import Count, Section

LOCAL_DIR, HF_HUB = "local-dir:", "hf-hub:"
"""How the names of models begin that are a directory here, or a repository of the Hugging Face hub."""

TUNED = f"{LOCAL_DIR}data/tuned/"
"""How the name of a model begins that ``finetune@NAME`` makes; NAME follows."""


class Model(Section):
    name: str
    pretrained: str | None
    context_length: Count | None
    licence: str | None = None

    @property
    def run(self) -> str | None:
        """The name of the fine-tuning run that makes this model; None if none does."""
        return self.name.removeprefix(TUNED) if self.name.startswith(TUNED) else None


def checkpoint_directory(name: str) -> Path | None:
    """Return the directory that the name of a model is; None for models of open_clip's registry and the hub."""
    return Path(name.removeprefix(LOCAL_DIR)) if name.startswith(LOCAL_DIR) else None
