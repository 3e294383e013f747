"""Under which licence a model's weights may be used, where they say so themselves."""

from __future__ import annotations

from pathlib import Path

import yaml

from text2image.base.console import one_line
from text2image.encoders.settings import HF_HUB, Model, checkpoint_directory

UNKNOWN = "unknown"


def licence_of(model: Model) -> str:
    """Return the licence that a model's card names, or "unknown": it is never guessed.

    The card is README.md in the checkpoint directory, or in the hub's repository that the weights come
    from. A directory without one may have a file LICENSE, whose first line then stands for it.
    """
    directory = checkpoint_directory(model.name)
    if directory is None:
        card = _hub_card(model)
        return UNKNOWN if card is None else named_in(card)
    licence = named_in(directory / "README.md")
    if licence != UNKNOWN or not directory.is_dir():
        return licence
    texts = [
        path for path in sorted(directory.iterdir()) if path.name.upper().startswith(("LICENSE", "LICENCE"))
    ]
    lines = texts[0].read_text(encoding="utf-8", errors="replace").split("\n") if texts else []
    return one_line(next((line.strip() for line in lines if line.strip()), UNKNOWN), 40)


def named_in(card: Path) -> str:
    """Return the ``license`` (or, where it is "other", ``license_name``) of a model card's front matter."""
    try:
        _, front, _ = card.read_text(encoding="utf-8").split("---\n", 2)
        fields = yaml.safe_load(front)
        name = fields["license"]
    except (OSError, UnicodeDecodeError, ValueError, yaml.YAMLError, KeyError, TypeError):
        return UNKNOWN  # no card, or one that does not say
    return one_line(fields.get("license_name", name) if name == "other" else name, 40)


def _hub_card(model: Model) -> Path | None:
    """Return the model card of the repository on the hub that a model's weights come from, if any."""
    import open_clip
    from huggingface_hub import hf_hub_download

    if model.name.startswith(HF_HUB):
        repository = model.name.removeprefix(HF_HUB)
    else:
        config = open_clip.get_pretrained_cfg(model.name, model.pretrained or "")
        repository = config.get("hf_hub", "").rpartition("/")[0]
    if not repository:
        return None
    try:
        return Path(hf_hub_download(repository, "README.md"))
    except Exception:  # no network, no such file, no such repository
        return None
