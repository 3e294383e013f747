"""Load the image tower of a checkpoint directory without its text tower, for a process that embeds images.

A Hugging Face text tower takes a second to import and as long as the image tower to make and to fill.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import open_clip
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from text2image.encoders.models.local_dir import text_tower_here

VISUAL = "visual."
"""How the names of the image tower's weights begin."""

NO_TEXT = {"context_length": 1, "vocab_size": 1, "width": 1, "heads": 1, "layers": 1}
"""open_clip's smallest text tower, in place of the one that is left out."""


def load_image_tower(
    directory: Path, device: torch.device, resize_mode: str | None
) -> tuple[nn.Module, Callable[[Any], Tensor]] | None:
    """Return a model (float32, eval mode) whose ``encode_image`` is that of the whole, and its preprocessing.

    The model embeds no texts. None where it has to be loaded whole: its text tower is none of Hugging Face's that lies in the directory, or its
    weights are not in one file of safetensors, under the names and in the shapes that the image tower has.

    Args:
        directory, resize_mode: as :func:`text2image.encoders.models.local_dir.load_local_dir` has them.
    """
    try:
        if not text_tower_here(directory) or not (weights := image_tower_weights(directory)):
            return None
        model, _, preprocess = open_clip.create_model_and_transforms(
            f"local-dir:{directory}",
            device=device,
            load_weights=False,
            pretrained_text=False,
            image_resize_mode=resize_mode,
            text_cfg=NO_TEXT,
        )
        if type(model) is not open_clip.CustomTextCLIP:
            return None
        model.visual.load_state_dict(weights)
        del model.text
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError):
        return None  # loading the whole works nevertheless, or says what is wrong
    return model.eval(), preprocess


def image_tower_weights(directory: Path) -> dict[str, Tensor]:
    """Return the weights of the image tower in a directory's only checkpoint, under the tower's own names.

    None are returned of other formats than safetensors, which is read in part.
    """
    checkpoints = [path for path in directory.iterdir() if path.suffix in (".safetensors", ".bin", ".pth")]
    if len(checkpoints) != 1 or checkpoints[0].suffix != ".safetensors":
        return {}
    with safe_open(checkpoints[0], framework="pt") as file:
        names = [name for name in file.keys() if name.startswith(VISUAL)]  # noqa: SIM118  it is no dictionary
        return {name.removeprefix(VISUAL): file.get_tensor(name) for name in names}
