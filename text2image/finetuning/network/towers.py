"""An open_clip model as two towers, each a trunk and a head: the last linear map into the common space.

The heads are taken off, so that a trunk's output can be computed once and kept while only heads train,
and so that dropout can act between the two. :func:`Towers.rejoined` puts them back.
"""

from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional


class Slot(NamedTuple):
    """A head and where it sits in a network: an attribute of one of its modules, and its dotted name."""

    head: nn.Module | nn.Parameter
    owner: nn.Module
    attribute: str
    name: str


class Towers:
    """A network whose heads are off.

    Attributes:
        network: in eval mode throughout, so that statistics of batch norms stay as they are.
        image_head, text_head: a module, a matrix that is multiplied from the right, or None where the
            trunk ends in the common space by itself.
        slots: the heads that there are, and where they belong.
        dropout: the share of a trunk's output that heads do not see while training.
    """

    def __init__(self, network: nn.Module, dropout: float) -> None:
        self.network = network.eval()
        image = _slot(network.visual, "visual.", ("head", "proj"))
        tower, prefix = (network.text, "text.") if hasattr(network, "text") else (network, "")
        text = _slot(tower, prefix, ("proj", "text_projection"))
        self.slots = [slot for slot in (image, text) if slot]
        self.image_head = image.head if image else None
        self.text_head = text.head if text else None
        self.dropout = dropout
        for slot in self.slots:
            # open_clip's own towers skip a projection that is None; the others call whatever there is.
            called = slot.attribute == "head" or type(slot.owner).__name__ == "HFTextEncoder"
            setattr(slot.owner, slot.attribute, nn.Identity() if called else None)

    def rejoined(self) -> nn.Module:
        """Put the heads back and return the network."""
        for slot in self.slots:
            delattr(slot.owner, slot.attribute)
            setattr(slot.owner, slot.attribute, slot.head)
        return self.network

    def parameters(self) -> dict[str, nn.Parameter]:
        """Return all parameters by the names that they have in the whole network."""
        parameters = dict(self.network.named_parameters())
        for head, _, _, name in self.slots:
            if isinstance(head, nn.Parameter):
                parameters[name] = head
            else:
                parameters |= {f"{name}.{key}": value for key, value in head.named_parameters()}
        return parameters

    def image_rows(self, features: Tensor, *, training: bool = False) -> Tensor:
        """Return unit rows ``(n, dim)`` of what the image trunk gave, ``(n, width)``."""
        return self._rows(self.image_head, features, training)

    def text_rows(self, features: Tensor, *, training: bool = False) -> Tensor:
        """Return unit rows ``(n, dim)`` of what the text trunk gave, ``(n, width)``."""
        return self._rows(self.text_head, features, training)

    def _rows(self, head: nn.Module | nn.Parameter | None, features: Tensor, training: bool) -> Tensor:
        if head is None:
            return functional.normalize(features, dim=-1)
        seen = functional.dropout(features, self.dropout, training=training)
        mapped = seen @ head if isinstance(head, nn.Parameter) else head(seen)
        return functional.normalize(mapped, dim=-1)


def _slot(tower: nn.Module, prefix: str, attributes: Iterable[str]) -> Slot | None:
    """Return where the head of a tower sits: the first of ``attributes`` that has weights; None if none has."""
    for attribute in attributes:
        head = getattr(tower, attribute, None)
        has_weights = isinstance(head, nn.Module) and any(True for _ in head.parameters())
        if has_weights or isinstance(head, nn.Parameter):
            return Slot(head, tower, attribute, f"{prefix}{attribute}")
    return None


def device_of(network: nn.Module) -> torch.device:
    """Return the device that a network is on."""
    device: torch.device = next(network.parameters()).device
    return device
