"""Load the model of a card: network, preprocessing and tokenizer, on a device and in a precision."""

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import torch

from text2image.base.console import InputError, one_line
from text2image.base.imports import without_collection
from text2image.base.store import fingerprint
from text2image.encoders.device import pick_device, pick_dtype
from text2image.encoders.images.preprocessing import Transform
from text2image.encoders.linear import use_onednn
from text2image.encoders.models.initialisation import WithoutInitialisation
from text2image.encoders.models.size import require_memory
from text2image.encoders.models.tokenizers import check_tokenizer
from text2image.encoders.models.towers import import_for
from text2image.encoders.settings import RESIZE_MODES, checkpoint_directory
from text2image.encoders.vectors import Card, image_determinants

Tokenize = Callable[[Sequence[str]], torch.Tensor]
Parts = tuple[torch.nn.Module, Transform, Tokenize]


class EmbeddingModel(NamedTuple):
    """A loaded open_clip model, in evaluation mode.

    Attributes:
        key: names the files and the precision.
        network: has ``encode_image`` and ``encode_text``, in the precision.
        transform: an RGB image to ``(3, height, width)`` float32.
        decode: ``embed.decode``: what decodes JPEG files, cpu or gpu.
        tokenize: texts to ``(n_texts, length)`` int64; ``length`` may depend on the longest of them.
    """

    key: str
    network: torch.nn.Module
    transform: Transform
    tokenize: Tokenize
    decode: str = "cpu"


def load_model(
    name: str, card: Card, device: str, precision: str, decode: str = "cpu", *, images_only: bool = False
) -> EmbeddingModel:
    """Load the model of a card, its weights converted to a precision (``embed.precision``).

    Args:
        device: ``runtime.device``.
        decode: ``embed.decode``.
        images_only: no text will be embedded, which saves a Hugging Face text tower and the tokenizer.

    Raises:
        InputError: it cannot be loaded, its files are not those of the card, weights are missing, there is not enough
            memory for it, or the device is not there or cannot compute in that precision.
    """
    where = pick_device(device)
    dtype = pick_dtype(precision, where)
    if size := card.get("size"):  # cards of earlier versions have none
        require_memory(name, size, where, copies=copies_of_weights(card["files"]))
    logging.getLogger().setLevel(logging.ERROR)  # open_clip narrates every step at INFO and WARNING
    with without_collection():
        network, transform, tokenize = _load(name, card, where, images_only=images_only)
    use_onednn(network)
    key = fingerprint(image_determinants(card, precision))
    return EmbeddingModel(key, network.to(dtype).requires_grad_(False), transform, tokenize, decode)


def copies_of_weights(files: Iterable[str]) -> int:
    """Return how often the weights are in memory while they are loaded: safetensors are mapped, not read."""
    return 1 if any(name.endswith(".safetensors") for name in files) else 2


def _load(name: str, card: Card, device: torch.device, *, images_only: bool) -> Parts:
    import_for(card["name"], images_only=images_only)
    from text2image.encoders.models.files import check_files
    from text2image.encoders.models.image_tower import load_image_tower
    from text2image.encoders.models.local_dir import load_local_dir

    mode, directory = RESIZE_MODES.get(card.get("resize", "model")), checkpoint_directory(card["name"])
    check_files(name, card)
    loaded: Parts
    with WithoutInitialisation() as parameters:
        if directory and images_only and (tower := load_image_tower(directory, device, mode)):
            loaded = (*tower, _no_tokenizer)
        elif directory:
            import_for(card["name"])
            length = card["context_length"]
            network, transform, tokenize = load_local_dir(
                directory, context_length=length, device=device, resize_mode=mode
            )
            loaded = (network, transform, _checked_once(tokenize, name, card))
        else:
            loaded = _load_by_name(name, card, device, mode, images_only=images_only)
    try:
        parameters.require_filled(loaded[0])
    except ValueError as error:
        raise _unusable(name, card, error) from None
    check_files(name, card)  # again: they may have been overwritten while they were read
    return loaded


def _load_by_name(
    name: str, card: Card, device: torch.device, resize_mode: str | None, *, images_only: bool
) -> Parts:
    """Load a model of the registry or of the hub."""
    import open_clip

    import_for(card["name"])
    try:
        network, transform = open_clip.create_model_from_pretrained(  # others go on with random weights
            card["name"], pretrained=card["pretrained"], device=device, image_resize_mode=resize_mode
        )
    except Exception as error:
        raise _unusable(name, card, error) from None
    if images_only:
        return network.eval(), transform, _no_tokenizer
    tokenizer = load_tokenizer(name, card)
    return network.eval(), transform, lambda texts: tokenizer(list(texts))


def _checked_once(tokenize: Tokenize, name: str, card: Card) -> Tokenize:
    """Compare a model's files with its card again after a tokenizer has read its own, which it does when first used."""
    from text2image.encoders.models.files import check_files

    checked = False

    def tokens(texts: Sequence[str]) -> torch.Tensor:
        nonlocal checked
        rows = tokenize(texts)
        if not checked:
            check_files(name, card)
            checked = True
        return rows

    return tokens


def _no_tokenizer(texts: Sequence[str]) -> torch.Tensor:
    raise RuntimeError("expected no text for a model that was loaded for images only")


def load_tokenizer(name: str, card: Card) -> Any:
    """Load the tokenizer of a card as open_clip makes it, without the network: texts to ``(n_texts, length)`` int64.

    Raises:
        InputError: it cannot be loaded, its files are not those of the card, or it gives unlike texts the same tokens.
    """
    import_for(card["name"])
    import open_clip

    from text2image.encoders.models.files import check_files
    from text2image.encoders.models.local_dir import load_local_tokenizer

    logging.getLogger().setLevel(logging.ERROR)
    if directory := checkpoint_directory(card["name"]):
        check_files(name, card)
        return load_local_tokenizer(directory, card["context_length"])
    try:
        tokenizer = open_clip.get_tokenizer(card["name"], context_length=card["context_length"])
    except Exception as error:
        raise _unusable(name, card, error) from None
    check_tokenizer(tokenizer, f"model '{name}' ({card['name']})")
    return tokenizer


def _unusable(name: str, card: Card, error: Exception) -> InputError:
    return InputError(
        f"model '{name}' ({card['name']}, pretrained {card['pretrained']}) cannot be loaded ({one_line(error)}); "
        f"point models.{name}.name in params.yaml to local-dir:PATH of a copy, or HF_HOME to a folder that "
        "has its weights and tokenizer, or set embed.models to [builtin], which needs no download"
    )
