"""open_clip's contrastive and sigmoid losses, at a fixed temperature or one that trains along."""

import math
from functools import partial

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
        device, own = network.logit_scale.device, getattr(network, "logit_bias", None)
        bias = own if own is not None else torch.tensor(SIGMOID_BIAS, device=device)
        self._function = partial(SigLipLoss(), logit_bias=bias) if run.loss == "sigmoid" else ClipLoss()
        fixed = None if run.temperature is None else torch.tensor(-math.log(run.temperature), device=device)
        self._log_scale = network.logit_scale if fixed is None else fixed

    @property
    def scale(self) -> Tensor:
        """One over the temperature: ``(1,)`` or ``()``."""
        return self._log_scale.exp()

    def __call__(self, images: Tensor, texts: Tensor) -> Tensor:
        """Return the loss, ``()``."""
        loss: Tensor = self._function(images, texts, self.scale)
        return loss
