"""The card of a sentence-transformers model: all files that it consists of, by their hashes, its weights and its size.

What is computed with it is stored under the card, so that other weights under the same name are another model.
"""

import json
from math import prod
from pathlib import Path
from typing import Any

from text2image.base.console import InputError, one_line
from text2image.encoders.vectors import Card
from text2image.formats.files import sha256_once
from text2image.formats.origins import ORIGINS, read_origins, weight_origins

READ = ["*.json", "*.txt", "*.model", "*.jinja", "*.safetensors", "*/*.bin"]
"""Files of a repository on the hub that a model consists of; a network's own weights pickled only if there are no others."""

PICKLED, OTHER_FORMATS = ["*.bin"], ["onnx/*", "openvino/*", "training_args.bin"]

INFORMATION = ".md"
"""How the names of files end that only tell people something."""

CONFIG = "config.json"


def describe_sentence_model(name: str, key: str, *, local_only: bool = False) -> Card:
    """Return the card of a model, downloading it if need be.

    ``files`` are the SHA-256 by the path within the model, ``revision`` the commit of a model on the hub, ``origins`` its
    weights and what its origins.json says they were made of (:mod:`text2image.formats.origins`), ``size`` its
    ``parameters`` (where its weights are safetensors) and ``weight_bytes``.

    Args:
        name: of a folder, or of a repository on the Hugging Face hub.
        key: the params key that names it, for messages.
        local_only: look into the hub's cache on this machine alone.

    Raises:
        InputError: it cannot be had, or its origins.json cannot be read.
    """
    folder, revision = find_folder(name, key, local_only=local_only)
    files = _files(folder)
    hashes = _hashes(folder)
    return {
        "name": name,
        "revision": revision,
        "files": hashes,
        "origins": read_origins(folder / ORIGINS) | weight_origins(hashes, name),
        "size": _size(files),
    }


def check_unchanged(folder: Path, card: Card, key: str) -> None:
    """Refuse a folder whose files are not those of the card any more.

    Raises:
        InputError: one of them changed, is gone, or is new.
    """
    there = _hashes(folder)
    if changed := sorted(dict(there.items() ^ card["files"].items())):
        raise InputError(
            f"expected the model for {key} in params.yaml as `dvc repro` described it, found another {changed[0]} in "
            f"{folder}; run `dvc repro`, which describes it again (first `dvc repro -f -s systems` where DVC sees no change)"
        )


def _files(folder: Path) -> list[Path]:
    """Return the files that a model consists of: neither what only tells people something, nor hidden ones."""
    return [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and not _is_information(path)
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]


def _hashes(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): sha256_once(path) for path in _files(folder)}


def find_folder(
    name: str, key: str, *, revision: str | None = None, local_only: bool = True
) -> tuple[Path, str | None]:
    """Return the folder that holds a model, and its commit if it is of the hub.

    Args:
        name, key, local_only: see :func:`describe_sentence_model`.
        revision: the commit of a model on the hub; None for the newest of its main branch.

    Raises:
        InputError: it cannot be had.
    """
    folder = Path(name)
    if folder.is_dir():
        _check(folder, name, key)
        return folder, None
    if not _may_be_of_the_hub(name):
        raise _unavailable(name, key, "there is no such folder")
    from huggingface_hub import snapshot_download

    options: dict[str, Any] = {
        "revision": revision, "local_files_only": local_only, "ignore_patterns": OTHER_FORMATS
    }  # fmt: skip
    try:
        folder = Path(snapshot_download(name, allow_patterns=READ, **options))
        if not any(folder.glob("*.safetensors")):
            folder = Path(snapshot_download(name, allow_patterns=READ + PICKLED, **options))
    except Exception as error:  # of the hub's client, and of its transport
        raise _unavailable(name, key, one_line(error) or type(error).__name__) from None
    _check(folder, name, key)
    return folder, folder.name


def _check(folder: Path, name: str, key: str) -> None:
    if not ((folder / CONFIG).is_file() or (folder / "modules.json").is_file()):
        raise _unavailable(name, key, f"there is neither modules.json nor {CONFIG} in {folder}")
    if not any(path.suffix in (".safetensors", ".bin") for path in folder.rglob("*")):
        raise _unavailable(name, key, f"there are no weights (.safetensors or .bin) in {folder}")


def _may_be_of_the_hub(name: str) -> bool:
    """Say whether a name has the form ``owner/model``, or ``model``, of the hub."""
    return not name.startswith((".", "/", "~")) and name.count("/") <= 1 and not name.endswith("/")


def _unavailable(name: str, key: str, why: str) -> InputError:
    return InputError(
        f"expected a sentence-transformers model for {key} in params.yaml, a folder or a name on the Hugging Face hub, "
        f"found that '{one_line(name)}' cannot be had ({why}); set HF_HOME to a folder that has it, or {key} to the "
        "folder of a copy"
    )


def _is_information(path: Path) -> bool:
    name = path.name
    return (
        name.lower().endswith(INFORMATION)
        or name == ORIGINS
        or name.upper().startswith(("LICENSE", "LICENCE"))
    )


def _size(files: list[Path]) -> dict[str, int]:
    """Return the bytes of the weights, and their number where headers of safetensors say it."""
    weights = [path for path in files if path.suffix in (".safetensors", ".bin")]
    size = {"weight_bytes": sum(path.stat().st_size for path in weights)}
    if all(path.suffix == ".safetensors" for path in weights):
        size["parameters"] = sum(map(_parameters, weights))
    return size


def _parameters(path: Path) -> int:
    """Return how many numbers a file of safetensors holds, by its header."""
    with path.open("rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    return sum(prod(entry["shape"]) for name, entry in header.items() if name != "__metadata__")
