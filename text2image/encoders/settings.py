"""How params.yaml describes an embedding model: an entry of the section ``models``."""

from pathlib import Path

from text2image.base.settings import Count, Section

LOCAL_DIR, HF_HUB = "local-dir:", "hf-hub:"
"""How the names of models begin that are a directory here, or a repository of the Hugging Face hub."""

TUNED = "data/tuned"
"""Where ``finetune@NAME`` makes the model NAME."""


class Model(Section):
    name: str
    pretrained: str | None
    context_length: Count | None
    licence: str | None = None

    @property
    def run(self) -> str | None:
        """The name of the fine-tuning run that makes this model, however its path is spelt; None if none does."""
        directory = checkpoint_directory(self.name)
        made = directory is not None and directory.parent.resolve() == Path(TUNED).resolve()
        return directory.name if directory is not None and made else None


def checkpoint_directory(name: str) -> Path | None:
    """Return the directory that the name of a model is; None for models of open_clip's registry and the hub."""
    return Path(name.removeprefix(LOCAL_DIR)) if name.startswith(LOCAL_DIR) else None
