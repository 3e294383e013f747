"""Load an open_clip checkpoint directory (``local-dir:``) with nothing but what is in it.

open_clip resolves a Hugging Face text tower's ``hf_model_name`` as a name on the Hub even when the
tower's config.json lies in the directory. Loaded from here it is the directory itself that is
named, so that the directory can be moved and needs no network.
"""

import json
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import open_clip
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from text2image.base.console import InputError, one_line
from text2image.encoders.builtin.package import TRUNK
from text2image.encoders.models.tokenizers import check_tokenizer, check_vocabulary
from text2image.encoders.settings import CONFIG

UNUSABLE = (
    OSError, ValueError, LookupError, TypeError, AttributeError, RuntimeError, SafetensorError, UnpicklingError
)  # fmt: skip
"""What open_clip raises of files that are not what they should be; AttributeError, of parts of a configuration."""

Tokenizer = Callable[[Sequence[str]], Tensor]


def load_local_dir(
    directory: Path,
    *,
    context_length: int | None = None,
    device: str | torch.device = "cpu",
    resize_mode: str | None = None,
) -> tuple[nn.Module, Callable[[Any], Tensor], Tokenizer]:
    """Load model (float32, eval mode), preprocessing (of a PIL image) and tokenizer, made when first used.

    Args:
        directory: holds ``open_clip_config.json``, the weights and, for a Hugging Face text tower,
            its ``config.json`` and tokenizer files.
        context_length: the number of tokens after which a text is cut off; None: the model's own.
        resize_mode: open_clip's ``image_resize_mode``: squash, longest (padded) or shortest (cropped); None: the
            model's own.

    Raises:
        InputError: it is not such a directory, or the model cannot read that many tokens.
    """
    name = f"local-dir:{directory}"
    try:
        model, _, preprocess = open_clip.create_model_and_transforms(
            name,
            device=device,
            require_pretrained=True,
            image_resize_mode=resize_mode,
            **text_tower_here(directory),
        )
    except UNUSABLE as error:
        raise _unusable(directory, error) from error
    if context_length is not None and context_length > model.context_length:
        raise InputError(
            f"expected a context_length of at most {model.context_length} for {name}, found {context_length}"
        )

    tokenizer = cache(partial(_tokenizer, directory, context_length, model))
    return model.eval(), preprocess, lambda texts: tokenizer()(texts)


def load_local_tokenizer(directory: Path, context_length: int | None) -> Any:
    """Load the tokenizer of a checkpoint directory as open_clip makes it.

    Raises:
        InputError: it cannot be loaded, or gives unlike texts the same tokens, as it does without its files.
    """
    try:
        tokenizer = open_clip.get_tokenizer(f"local-dir:{directory}", context_length=context_length)
    except UNUSABLE as error:
        raise _unusable(directory, error) from error
    check_tokenizer(tokenizer, f"the open_clip checkpoint in {directory}")
    return tokenizer


def _tokenizer(directory: Path, context_length: int | None, model: nn.Module) -> Tokenizer:
    """Make the tokenizer: half a second that embedding images does not need."""
    tokenizer: Tokenizer = load_local_tokenizer(directory, context_length)
    check_vocabulary(tokenizer, getattr(model, "vocab_size", 0), f"the open_clip checkpoint in {directory}")
    if isinstance(getattr(model, "text", None), open_clip.model.HFTextEncoder):
        return without_padding_columns(tokenizer, model.text.config.pad_token_id)
    return tokenizer


def _unusable(directory: Path, error: Exception) -> InputError:
    return InputError(f"expected an open_clip checkpoint in {directory}, found: {one_line(error)}")


def text_tower_here(directory: Path) -> dict[str, Any]:
    """Return the overrides that make open_clip read the text tower's config.json in ``directory``.

    The image tower of the built-in model is registered with timm, if it is the one that ``directory`` has.
    """
    config = json.loads((directory / CONFIG).read_text(encoding="utf-8"))
    text = config["model_cfg"]["text_cfg"]
    if config["model_cfg"]["vision_cfg"].get("timm_model_name") == TRUNK:
        import text2image.encoders.builtin.efficientnet_lite  # noqa: F401
    if not text.get("hf_model_name") or not (directory / "config.json").is_file():
        return {}
    return {"text_cfg": {**text, "hf_model_name": str(directory), "hf_model_pretrained": False}}


def without_padding_columns(tokenizer: Tokenizer, pad: int) -> Tokenizer:
    """Cut the columns that are padding in every row, which a Hugging Face tower masks anyway.

    open_clip pads each text to the full context length; most texts are a few words long.
    """

    def tokenize(texts: Sequence[str]) -> Tensor:
        tokens = tokenizer(texts)
        used = (tokens != pad).any(dim=0).nonzero()
        return tokens[:, : int(used.max()) + 1]

    return tokenize
