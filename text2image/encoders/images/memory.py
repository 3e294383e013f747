"""What is done where a device's memory does not suffice: fewer images at once."""

from collections.abc import Callable

import torch

from text2image.base.console import InputError, say

Network = Callable[[torch.Tensor], torch.Tensor]

TOO_LITTLE = (
    "expected a device whose memory holds the model and one image, found too little; "
    "set runtime.device: cpu, or embed.precision: bf16, in params.yaml"
)


class Halving:
    """A network that takes half as many images at once from when the memory does not suffice.

    The smaller shape may change the last bits of results, as another card would.
    """

    def __init__(self, network: Network, size: int) -> None:
        self.network, self.size = network, size

    def __call__(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return the network's rows of ``pixels``; an InputError says that one image is too many."""
        while True:
            size = self.size
            try:
                return torch.cat([self.network(part) for part in pixels.split(size)])
            except torch.OutOfMemoryError:
                if size == 1:
                    raise InputError(TOO_LITTLE) from None
            if self.size == size:  # unless another thread has halved it
                self.size = size // 2
                say(f"out of memory with {size} images at once: going on with {self.size}")
            free_memory()


def free_memory() -> None:
    """Give memory back to the device that torch keeps for later, so that larger blocks can be had."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
