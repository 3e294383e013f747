"""How params.yaml describes an embedding model: an entry of the section ``models``."""

from __future__ import annotations

from text2image.base.settings import Count, Section

TUNED = "local-dir:data/tuned/"
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
