"""The files that a model is loaded from, and the comparison of them with the model's card.

The weights of a folder may be overwritten, and a repository on the hub moves on: a model is loaded only if every file is
the one that its card names, so that no matrix ever holds the vectors of two models.
"""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import open_clip

from text2image.base.console import InputError, one_line
from text2image.encoders.settings import CONFIG, HF_HUB, checkpoint_directory
from text2image.formats.files import sha256_once
from text2image.formats.origins import ORIGINS


def find_files(name: str, open_clip_name: str, pretrained: str | None) -> list[Path]:
    """Return the files that a model is loaded from: of a registry or hub model the weights, downloaded if need be.

    Args:
        name: its key in the section ``models`` of params.yaml.
        open_clip_name, pretrained: what open_clip calls it.

    Raises:
        InputError: the model cannot be had.
    """
    directory = checkpoint_directory(open_clip_name)
    return (
        _files_of_directory(name, directory) if directory else [_download(name, open_clip_name, pretrained)]
    )


def hash_files(paths: list[Path]) -> dict[str, str]:
    """Return ``{file name: SHA-256}``; a file that did not change since it was last asked for is not read again."""
    return {path.name: sha256_once(path) for path in paths}


def check_files(name: str, card: Mapping[str, Any]) -> None:
    """Compare every file that a model is loaded from with its card.

    The first call in a process reads the files, later ones look whether they changed since.

    Raises:
        InputError: a file is another than the card says, is gone, or is new.
    """
    there = hash_files(find_files(name, card["name"], card["pretrained"]))
    if changed := sorted(dict(there.items() ^ card["files"].items())):
        raise InputError(
            f"expected the files of model '{name}' ({card['name']}) as data/models/{name}.json lists them, found another "
            f"{changed[0]}: the model changed since it was described; run `dvc repro`, which embeds everything with the "
            f"present one (`dvc repro -f model@{name}` where DVC sees no change)"
        )


def _files_of_directory(name: str, directory: Path) -> list[Path]:
    """Return the files of a checkpoint directory, but for those that only tell people something."""
    if not (directory / CONFIG).is_file():
        raise InputError(
            f"expected an open_clip checkpoint directory at {directory} (params key models.{name}.name), "
            f"found no {CONFIG} there"
        )
    files = sorted(path for path in directory.iterdir() if path.is_file())
    return [path for path in files if not _is_information(path)]


def _is_information(path: Path) -> bool:
    """Say whether a file changes no vector: it tells people something, or says where the weights come from."""
    return path.suffix.lower() == ".md" or path.name == ORIGINS or is_licence(path)


def is_licence(path: Path) -> bool:
    """Say whether a file holds a licence, by its name."""
    return path.name.upper().startswith(("LICENSE", "LICENCE"))


def _download(name: str, open_clip_name: str, pretrained: str | None) -> Path:
    """Return the local path of a registry or hub model's weights, downloading them if need be."""
    if open_clip_name.startswith(HF_HUB):
        download = partial(open_clip.download_pretrained_from_hf, open_clip_name.removeprefix(HF_HUB))
    elif config := open_clip.get_pretrained_cfg(open_clip_name, pretrained or ""):
        download = partial(open_clip.download_pretrained, config)
    else:
        tags = open_clip.list_pretrained_tags_by_model(open_clip_name)
        known = f"tags {', '.join(tags)}" if tags else "no such model"
        raise InputError(
            f"expected a model and tag of open_clip's registry under models.{name} in params.yaml, "
            f"found name '{open_clip_name}' with pretrained '{pretrained}' (open_clip knows {known})"
        )
    try:
        return Path(download())
    except Exception as error:
        reason = one_line(error) or type(error).__name__
        raise InputError(
            f"model '{name}' ({open_clip_name}, pretrained {pretrained}) is not on this machine and its "
            f"download failed ({reason}); set HF_HOME to a folder that has it, or models.{name}.name in "
            "params.yaml to local-dir:PATH of a copy, or embed.models to [builtin], which needs no download"
        ) from None
