"""What a model's towers are built with, known before anything is imported for them.

A tower of open_clip's own needs torch alone; an image tower of timm's needs timm, and a text tower of Hugging Face's
needs transformers, which take as long to import as all the rest. So a process that embeds images with a model imports
what its image tower is built with, and no more.
"""

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from text2image.base.imports import OPTIONAL, import_open_clip
from text2image.encoders.settings import CONFIG, HF_HUB, checkpoint_directory


def import_for(name: str, *, images_only: bool = False) -> None:
    """Import open_clip with what a model's towers are built with.

    Args:
        name: of the model, as open_clip has it.
        images_only: no text will be embedded.
    """
    config = architecture(name)
    import_open_clip(set(OPTIONAL) - needed(config, images_only=images_only) if config else ())
    if name.startswith(HF_HUB):
        import text2image.encoders.builtin.efficientnet_lite  # noqa: F401  it may be a copy of the built-in model


def needed(config: dict[str, Any], *, images_only: bool) -> set[str]:
    """Return the packages that a model is built with.

    >>> needed({"vision_cfg": {"layers": 12}, "text_cfg": {"hf_model_name": "roberta-base"}}, images_only=False)
    {'transformers'}
    >>> needed({"vision_cfg": {"timm_model_name": "vit_base"}, "text_cfg": {"hf_model_name": "m"}}, images_only=True)
    {'timm'}
    """
    timm = config["vision_cfg"].get("timm_model_name")
    transformers = config["text_cfg"].get("hf_model_name") and not images_only
    return {name for name, wanted in (("timm", timm), ("transformers", transformers)) if wanted}


def architecture(name: str) -> dict[str, Any] | None:
    """Return open_clip's description of a model's towers; None where it is not at hand, as of models of the hub.

    Args:
        name: as in params.yaml: a checkpoint directory, or a name of open_clip's registry.
    """
    directory, package = checkpoint_directory(name), find_spec("open_clip")
    if directory:
        path = directory / CONFIG
    elif package and package.origin:
        path = Path(package.origin).parent / "model_configs" / f"{name}.json"
    else:
        return None
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        config = config["model_cfg"] if directory else config
        return {key: dict(config[key]) for key in ("vision_cfg", "text_cfg")}
    except (OSError, ValueError, KeyError, TypeError, RecursionError):  # loading the model says what is wrong
        return None
