"""Checkpoint directories that hold a tokenizer and no weights, which is enough to load that."""

import json
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from text2image.encoders.builtin.assemble import MODEL_CONFIG, TEXT_FILES
from text2image.encoders.builtin.package import MINILM
from text2image.encoders.models.files import find_files, hash_files


def minilm(folder: Path, *, files: tuple[str, ...] = TEXT_FILES, context_length: int = 64) -> dict[str, Any]:
    """Write the built-in model's tokenizer, or some of its files, and return a card of the directory."""
    folder.mkdir()
    for name in files:
        (folder / name).write_bytes(MINILM.read(name))
    (folder / "open_clip_config.json").write_text(json.dumps(MODEL_CONFIG))
    return card(folder, context_length)


def clip(folder: Path, *, context_length: int) -> dict[str, Any]:
    """Write a directory that has open_clip's own tokenizer, and return a card of it."""
    folder.mkdir()
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": {"text_cfg": {}}}))
    return card(folder, context_length)


def siglip_like(folder: Path, *, context_length: int) -> dict[str, Any]:
    """Write a tokenizer that ends and fills texts with one token, as SigLIP's does, and return a card of it."""
    words = ["<end>", "<unk>", "shoe", "a", "red", "two", "small", "dogs", "the", "old", "house"]
    raw = Tokenizer(models.WordLevel({word: index for index, word in enumerate(words)}, unk_token="<unk>"))
    raw.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    raw.post_processor = processors.TemplateProcessing(single="$A <end>", special_tokens=[("<end>", 0)])
    fast = PreTrainedTokenizerFast(
        tokenizer_object=raw, eos_token="<end>", pad_token="<end>", unk_token="<unk>"
    )
    folder.mkdir()
    fast.save_pretrained(folder)
    config = {"model_cfg": {"text_cfg": {"hf_tokenizer_name": "tiny"}}}
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    return card(folder, context_length)


def card(folder: Path, context_length: int | None) -> dict[str, Any]:
    """Return what is needed of a directory's card to load it, with the hashes of its files if there are any."""
    name = f"local-dir:{folder}"
    return {
        "name": name,
        "pretrained": None,
        "context_length": context_length,
        "files": hash_files(find_files("tiny", name, None)) if folder.is_dir() else {"w": folder.name},
        "origins": {},
    }
