"""open_clip's contrastive and sigmoid losses, at a fixed temperature or one that trains along."""

import math

import torch
from open_clip.loss import ClipLoss, SigLipLoss
from torch import Tensor, nn

from text2image.finetuning.settings import FinetuneRun

SIGMOID_BIAS = -10.0
"""Where SigLIP starts (Zhai et al., 2023): most pairs of a batch do not belong together."""


class Loss:
    """The loss of a batch of pairs, ``images, texts: (n, dim)`` unit rows, row i with row i.

    ``contrastive``: ``open_clip.loss.ClipLoss`` (Radford et al., 2021); ``sigmoid``:
    ``open_clip.loss.SigLipLoss`` (Zhai et al., 2023).
    """

    def __init__(self, network: nn.Module, run: FinetuneRun) -> None:
        own = getattr(network, "logit_bias", None)
        self._log_scale = (
            network.logit_scale
            if run.temperature is None
            else torch.tensor(-math.log(run.temperature), device=network.logit_scale.device)
        )
        self._sigmoid = run.loss == "sigmoid"
        self._bias = own if own is not None else torch.tensor(SIGMOID_BIAS, device=network.logit_scale.device)
        self._contrastive, self._pairwise = ClipLoss(), SigLipLoss()

    @property
    def scale(self) -> Tensor:
        """One over the temperature: ``(1,)`` or ``()``."""
        return self._log_scale.exp()

    def __call__(self, images: Tensor, texts: Tensor) -> Tensor:
        """Return the loss, ``()``."""
        loss: Tensor = (
            self._pairwise(images, texts, self.scale, self._bias)
            if self._sigmoid
            else self._contrastive(images, texts, self.scale)
        )
        return loss
