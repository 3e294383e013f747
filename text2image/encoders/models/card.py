"""The card of a model: all files that it consists of, by their hashes, and its size.

Embeddings depend on the card, so that other weights under the same name make other embeddings, and a model that
cannot be had is known before any work is done.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from text2image.base.console import InputError, one_line
from text2image.encoders.models.size import measure_size
from text2image.encoders.settings import HF_HUB, Model, checkpoint_directory
from text2image.formats.files import sha256


def load_card(path: Path) -> dict[str, Any]:
    """Read a card that :func:`describe` made."""
    card: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return card


def describe(name: str, model: Model) -> dict[str, Any]:
    """Return a model's card: its entry in params.yaml, the SHA-256 of every file it consists of, and its size.

    Embeddings are keyed by the former two. Registry and hub models are downloaded here, unless they are
    in the local cache already; nothing else in the pipeline needs the network for weights. Where the
    architecture cannot be built, the size is that of the weights' file.

    Raises:
        InputError: the model cannot be had.
    """
    directory = checkpoint_directory(model.name)
    files = [_download(name, model)] if directory is None else _files_of_directory(name, directory)
    return {
        "name": model.name,
        "pretrained": model.pretrained,
        "context_length": model.context_length,
        "files": {path.name: sha256(path) for path in files},
        "size": size._asdict() if (size := measure_size(model)) else {"weight_bytes": _largest(files)},
    }


def _largest(files: Sequence[Path]) -> int:
    """Return the size of the largest of some files, which holds the weights."""
    return max(path.stat().st_size for path in files)


def _files_of_directory(name: str, directory: Path) -> list[Path]:
    if not (directory / "open_clip_config.json").is_file():
        raise InputError(
            f"expected an open_clip checkpoint directory at {directory} (params key models.{name}.name), "
            "found no open_clip_config.json there"
        )
    return sorted(path for path in directory.iterdir() if path.is_file() and not _is_documentation(path))


def _is_documentation(path: Path) -> bool:
    """Return whether a file of a checkpoint directory tells people something and changes no embedding."""
    return path.suffix.lower() == ".md" or path.name.upper().startswith(("LICENSE", "LICENCE"))


def _download(name: str, model: Model) -> Path:
    """Return the local path of a registry or hub model's weights, downloading them if need be."""
    import open_clip

    if model.name.startswith(HF_HUB):
        repository = model.name.removeprefix(HF_HUB)
        return _fetch(name, model, lambda: open_clip.download_pretrained_from_hf(repository))
    config = open_clip.get_pretrained_cfg(model.name, model.pretrained or "")
    if not config:
        tags = open_clip.list_pretrained_tags_by_model(model.name)
        known = f"tags {', '.join(tags)}" if tags else "no such model"
        raise InputError(
            f"expected a model and tag of open_clip's registry under models.{name} in params.yaml, "
            f"found name '{model.name}' with pretrained '{model.pretrained}' (open_clip knows {known})"
        )
    return _fetch(name, model, lambda: open_clip.download_pretrained(config))


def _fetch(name: str, model: Model, download: Callable[[], str]) -> Path:
    """Return the path that ``download`` returns, or say in one sentence why the model cannot be had."""
    try:
        return Path(download())
    except Exception as error:
        reason = one_line(error) or type(error).__name__
        raise InputError(
            f"model '{name}' ({model.name}, pretrained {model.pretrained}) is not on this machine and its "
            f"download failed ({reason}); set HF_HOME to a folder that has it, or models.{name}.name in "
            "params.yaml to local-dir:PATH of a copy, or embed.models to [builtin], which needs no download"
        ) from None
