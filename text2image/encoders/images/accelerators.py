"""A device that computes beside the processor: it copies a batch, computes the one before and hands out the one before that.

Each of these three has a thread of its own (:func:`text2image.base.parallel.in_lanes`) and, on a GPU of NVIDIA's, a stream.
All arithmetic of a network stays on one stream, since kernels that share a workspace with those of another stream may add
up in another order.
"""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor

from text2image.base.console import InputError
from text2image.encoders.images.gpu_decoding import decode_inputs
from text2image.encoders.images.memory import TOO_LITTLE, Halving, Network, free_memory
from text2image.encoders.images.preparing import Prepared
from text2image.encoders.images.preprocessing import Preprocessing

Step = tuple[Prepared, Tensor | None, Any]
"""What was prepared, its tensor on the device (None without an image), and the event after which that is complete."""


class Accelerator:
    """A device with its copy of a network.

    Args:
        network: ``(size, 3, height, width)`` of ``dtype`` on the device to ``(size, …)``.
        preprocessing: whose second step is made on the device.
        size: images a batch.
    """

    def __init__(
        self,
        network: Network,
        device: torch.device,
        preprocessing: Preprocessing,
        size: int,
        dtype: torch.dtype,
    ) -> None:
        self.device, self.preprocessing, self.size = device, preprocessing, size

        def forward(pixels: Tensor) -> Tensor:
            ready = preprocessing.normalise(pixels).to(dtype)
            return network(ready.contiguous(memory_format=torch.channels_last))

        self.network = Halving(forward, size)
        self._streams = {
            step: torch.cuda.Stream(device) for step in ("load", "fetch") if device.type == "cuda"
        }

    def load(self, part: Prepared) -> Step:
        """Copy a batch to the device, filled up with repeats to a multiple of the size; decode what is encoded."""
        if not part.images:
            return part, None, None
        with self._on("load"):
            for last in (False, True):
                try:
                    pixels = self._inputs(part)
                    break
                except torch.OutOfMemoryError:
                    if last:
                        raise InputError(TOO_LITTLE) from None
                    self.settle()  # what others compute gives its memory back
            return part._replace(inputs=[]), pixels, self._event()

    def compute(self, loaded: Step) -> Step:
        """Start the network's arithmetic."""
        part, pixels, complete = loaded
        if pixels is None:
            return loaded
        with self._on("compute"), torch.inference_mode():
            if complete is not None:
                stream = torch.cuda.current_stream(self.device)
                stream.wait_event(complete)
                pixels.record_stream(stream)
            rows = self.network(pixels)
            return part, rows, self._event()

    def fetch(self, computed: Step) -> tuple[Prepared, Tensor | None]:
        """Wait for rows, and return them on the CPU."""
        part, rows, complete = computed
        if rows is None:
            return part, None
        with self._on("fetch"):
            if complete is not None:
                complete.synchronize()
            return part, rows.cpu()

    def settle(self) -> None:
        """Wait until the device has done all that was asked of it, and take back the memory."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        free_memory()

    def _inputs(self, part: Prepared) -> Tensor:
        filled = [*part.inputs, *[part.inputs[-1]] * (-len(part.inputs) % self.size)]
        images = [*part.images, *[part.images[-1]] * (len(filled) - len(part.images))]
        if self.preprocessing.resize is not None and not all(isinstance(each, Tensor) for each in filled):
            return decode_inputs(images, filled, self.preprocessing, self.device)
        levels, pinned = [each for each in filled if isinstance(each, Tensor)], self.device.type == "cuda"
        stacked = torch.empty(  # in the order of pixels in which they come and the network takes them: a third of the time
            (len(levels), *levels[0].shape),
            dtype=levels[0].dtype,
            pin_memory=pinned,
            memory_format=torch.channels_last,
        )
        return torch.stack(levels, out=stacked).to(self.device, non_blocking=pinned)

    def _on(self, step: str) -> AbstractContextManager[Any]:
        """Return what makes the device current, and the stream of a step that has one."""
        if self.device.type != "cuda":
            return nullcontext()
        stream = self._streams.get(step) or torch.cuda.default_stream(self.device)
        current: AbstractContextManager[Any] = torch.cuda.stream(stream)
        return current

    def _event(self) -> Any:
        """Return an event after all that the current stream was asked for; None where there are no streams."""
        if self.device.type != "cuda":
            return None
        event = torch.cuda.Event(blocking=True)  # who waits for it sleeps, and leaves the core to readers
        event.record(torch.cuda.current_stream(self.device))
        return event
