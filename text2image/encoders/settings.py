"""How params.yaml describes an embedding model: an entry of the section ``models``."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from text2image.base.settings import Count, Section

LOCAL_DIR, HF_HUB = "local-dir:", "hf-hub:"
"""How the names of models begin that are a directory here, or a repository of the Hugging Face hub."""

CONFIG = "open_clip_config.json"
"""The file of a checkpoint directory that describes its towers."""

TUNED = "data/tuned"
"""Where ``finetune@NAME`` makes the model NAME."""


VIEWS = WHOLE, TILES, CORNERS = "whole", "tiles", "corners"
"""Kinds of views of an image (:mod:`text2image.encoders.views`)."""

RESIZE_MODES = {"squash": "squash", "pad": "longest", "crop": "shortest"}
"""How a picture becomes a model's square, and what open_clip calls it (``image_resize_mode``)."""


def _distinct_views(names: list[str]) -> list[str]:
    if WHOLE not in names or len(set(names)) != len(names) or not set(names) <= set(VIEWS):
        raise ValueError("expected whole and, if you like, tiles and corners, each once")
    return [name for name in VIEWS if name in names]


class Model(Section):
    """An open_clip model and how it sees an image.

    Attributes:
        name, pretrained: what open_clip calls it.
        context_length: the tokens after which a text is cut off; None for the model's own.
        licence: for model cards.
        resize: how a picture becomes the model's square: cropped, squashed, padded, or as the model's authors do it.
        views: the parts of an image that the model sees, in the order of ``VIEWS``.
        combine: ``max``, a vector for each view, of which the one that is most like the query counts; ``mean``, one
            vector, their mean.
    """

    name: str
    pretrained: str | None
    context_length: Count | None
    licence: str | None = None
    resize: Literal["model", "squash", "pad", "crop"] = "model"
    views: Annotated[list[str], AfterValidator(_distinct_views)] = Field(default=[WHOLE])
    combine: Literal["max", "mean"] = "max"

    @property
    def run(self) -> str | None:
        """The name of the fine-tuning run that makes this model, however its path is spelt; None if none does."""
        directory = checkpoint_directory(self.name)
        made = directory is not None and directory.parent.resolve() == Path(TUNED).resolve()
        return directory.name if directory is not None and made else None


def checkpoint_directory(name: str) -> Path | None:
    """Return the directory that the name of a model is; None for models of open_clip's registry and the hub."""
    return Path(name.removeprefix(LOCAL_DIR)) if name.startswith(LOCAL_DIR) else None
