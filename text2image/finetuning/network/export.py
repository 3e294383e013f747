"""The tuned model as an open_clip checkpoint directory that needs nothing but what is in it."""

import json
import shutil
from pathlib import Path
from typing import Any

import open_clip
from safetensors.torch import save
from torch import nn

from text2image.encoders.models.local_dir import text_tower_here
from text2image.encoders.settings import CONFIG, HF_HUB, Model, checkpoint_directory
from text2image.formats.files import write_json
from text2image.formats.origins import ORIGINS, Origins

WEIGHTS = "open_clip_model.safetensors"
NOT_COPIED = {".safetensors", ".bin", ".pt", ".pth", ".md"}


def write_model(folder: Path, network: nn.Module, base: Model, card: str, origins: Origins) -> None:
    """Write weights, config, tokenizer, card and the base model's origins into ``folder``; what is there already goes."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    if source := checkpoint_directory(base.name):
        _copy_config(folder, source)
    else:
        _write_config(folder, network, base)
    state = {key: value.detach().cpu().contiguous() for key, value in sorted(network.state_dict().items())}
    (folder / WEIGHTS).write_bytes(save(state, metadata={"format": "pt"}))
    (folder / "README.md").write_text(card, encoding="utf-8")
    write_json(folder / ORIGINS, origins)


def _copy_config(folder: Path, source: Path) -> None:
    """Copy what lies beside the base model's weights.

    open_clip looks up a Hugging Face text tower by name even when its config.json lies in the
    directory; where it does, the name becomes the directory's own path.
    """
    for path in sorted(source.iterdir()):
        if path.is_file() and path.suffix not in NOT_COPIED:
            shutil.copyfile(path, folder / path.name)
    if override := text_tower_here(folder):
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        config["model_cfg"] |= override
        (folder / CONFIG).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def _write_config(folder: Path, network: nn.Module, base: Model) -> None:
    """Write the config of a registry or hub model, and the files of its tokenizer if it has any."""
    from open_clip.push_to_hf_hub import save_config_for_hf

    if base.name.startswith(HF_HUB):
        from open_clip.factory import _get_hf_config

        config: dict[str, Any] = _get_hf_config(base.name.removeprefix(HF_HUB))["model_cfg"]
    else:
        config = open_clip.get_model_config(base.name)
        if open_clip.get_pretrained_cfg(base.name, base.pretrained or "").get("quick_gelu"):
            config["quick_gelu"] = True
    save_config_for_hf(network, folder / CONFIG, config)
    tokenizer = open_clip.get_tokenizer(base.name)
    if hasattr(tokenizer, "save_pretrained"):
        tokenizer.save_pretrained(folder)
