"""open_clip models: resolved to files with hashes once, then loaded from these."""

from __future__ import annotations

import gc
import hashlib
import json
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from text2image.base.console import InputError, one_line
from text2image.base.store import fingerprint
from text2image.encoders.memory import require_memory
from text2image.encoders.settings import Model
from text2image.encoders.size import measure_size
from text2image.encoders.vectors import image_determinants

if TYPE_CHECKING:
    import torch
    from PIL import Image

Transform: TypeAlias = "Callable[[Image.Image], torch.Tensor]"
Tokenize: TypeAlias = "Callable[[Sequence[str]], torch.Tensor]"

LOCAL_DIR = "local-dir:"
HF_HUB = "hf-hub:"


class EmbeddingModel(NamedTuple):
    """A loaded open_clip model, in evaluation mode.

    Attributes:
        key: names the files and the precision.
        network: has ``encode_image`` and ``encode_text``, in the precision.
        transform: an RGB image to ``(3, height, width)`` float32.
        tokenize: texts to ``(n_texts, length)`` int64; ``length`` may depend on the longest of them.
    """

    key: str
    network: torch.nn.Module
    transform: Transform
    tokenize: Tokenize


def describe(name: str, model: Model) -> dict[str, Any]:
    """Return a model's card: its entry in params.yaml, the SHA-256 of every file it consists of, and its size.

    Embeddings are keyed by the former two. Registry and hub models are downloaded here, unless they are
    in the local cache already; nothing else in the pipeline needs the network for weights. Where the
    architecture cannot be built, the size is that of the weights' file.

    Raises:
        InputError: the model cannot be had.
    """
    if model.name.startswith(LOCAL_DIR):
        files = _files_of_directory(name, Path(model.name.removeprefix(LOCAL_DIR)))
    else:
        files = [_download(name, model)]
    return {
        "name": model.name,
        "pretrained": model.pretrained,
        "context_length": model.context_length,
        "files": {path.name: sha256(path) for path in files},
        "size": size._asdict() if (size := measure_size(model)) else {"weight_bytes": largest(files)},
    }


def largest(files: Sequence[Path]) -> int:
    """Return the size of the largest of some files, which holds the weights."""
    return max(path.stat().st_size for path in files)


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _files_of_directory(name: str, directory: Path) -> list[Path]:
    if not (directory / "open_clip_config.json").is_file():
        raise InputError(
            f"expected an open_clip checkpoint directory at {directory} (params key models.{name}.name), "
            "found no open_clip_config.json there"
        )
    return sorted(path for path in directory.iterdir() if path.is_file() and not is_about(path))


def is_about(path: Path) -> bool:
    """Return whether a file of a checkpoint directory tells people something and changes no embedding."""
    return path.suffix.lower() == ".md" or path.name.upper().startswith(("LICENSE", "LICENCE"))


def _download(name: str, model: Model) -> Path:
    """Return the local path of a registry or hub model's weights, downloading them if need be."""
    import open_clip

    if model.name.startswith(HF_HUB):
        return _having(
            name, model, lambda: open_clip.download_pretrained_from_hf(model.name.removeprefix(HF_HUB))
        )
    config = open_clip.get_pretrained_cfg(model.name, model.pretrained or "")
    if not config:
        tags = open_clip.list_pretrained_tags_by_model(model.name)
        known = f"tags {', '.join(tags)}" if tags else "no such model"
        raise InputError(
            f"expected a model and tag of open_clip's registry under models.{name} in params.yaml, "
            f"found name '{model.name}' with pretrained '{model.pretrained}' (open_clip knows {known})"
        )
    return _having(name, model, lambda: open_clip.download_pretrained(config))


def _having(name: str, model: Model, fetch: Callable[[], str]) -> Path:
    """Return the path that ``fetch`` returns, or say in one sentence why the model cannot be had."""
    try:
        return Path(fetch())
    except Exception as error:
        reason = one_line(error) or type(error).__name__
        raise InputError(
            f"model '{name}' ({model.name}, pretrained {model.pretrained}) is not on this machine and its "
            f"download failed ({reason}); set HF_HOME to a folder that has it, or models.{name}.name in "
            "params.yaml to local-dir:PATH of a copy, or embed.models to [builtin], which needs no download"
        ) from None


def load_card(name: str) -> dict[str, Any]:
    """Read the card of a model, which the stage ``model`` wrote."""
    card: dict[str, Any] = json.loads(Path(f"data/models/{name}.json").read_text(encoding="utf-8"))
    return card


def copies_of_weights(files: Iterable[str]) -> int:
    """Return how often the weights are in memory while they are loaded: safetensors are mapped, not read."""
    return 1 if any(name.endswith(".safetensors") for name in files) else 2


def load_model(name: str, card: dict[str, Any], device: torch.device, precision: str) -> EmbeddingModel:
    """Load the model of a card onto a device, its weights converted to a precision (``embed.precision``).

    Raises:
        InputError: it cannot be loaded, there is not enough memory for it, or the device cannot compute in
            that precision.
    """
    from text2image.encoders.device import pick_dtype
    from text2image.encoders.linear import use_onednn

    dtype = pick_dtype(precision, device)
    if size := card.get("size"):  # cards of earlier versions have none
        require_memory(name, size, device, copies=copies_of_weights(card["files"]))
    logging.getLogger().setLevel(logging.ERROR)  # open_clip narrates every step at INFO and WARNING
    with _uncollected():
        if card["name"].startswith(LOCAL_DIR):
            from text2image.encoders.local_dir import load_local_dir

            directory = Path(card["name"].removeprefix(LOCAL_DIR))
            parts = load_local_dir(directory, context_length=card["context_length"], device=device)
        else:
            parts = _load_registry(name, card, device)
    network, transform, tokenize = parts
    use_onednn(network)
    key = fingerprint(image_determinants(card, precision))
    return EmbeddingModel(key, network.to(dtype).requires_grad_(False), transform, tokenize)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Look for no garbage: importing open_clip makes a million objects that stay, and none that go."""
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before:
            gc.enable()


def _load_registry(
    name: str, card: dict[str, Any], device: torch.device
) -> tuple[torch.nn.Module, Transform, Tokenize]:
    import open_clip

    try:
        network, transform = open_clip.create_model_from_pretrained(  # others go on with random weights
            card["name"], pretrained=card["pretrained"], device=device
        )
        tokenizer = open_clip.get_tokenizer(card["name"], context_length=card["context_length"])
    except Exception as error:
        raise InputError(
            f"model '{name}' ({card['name']}, pretrained {card['pretrained']}) cannot be loaded ({one_line(error)}); "
            f"point models.{name}.name in params.yaml to local-dir:PATH of a copy, or HF_HOME to a folder that "
            "has its weights and tokenizer, or set embed.models to [builtin], which needs no download"
        ) from None
    return network.eval(), transform, lambda texts: tokenizer(list(texts))
