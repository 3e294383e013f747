"""A captioner on one device: a batch is copied to it, captioned and spelt out, each step in a thread of its own on an accelerator."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple, TypeAlias

import torch
from PIL import Image

from text2image.base.console import InputError, say
from text2image.collection.manifest import ImageFile
from text2image.encoders.images.memory import free_memory
from text2image.labels.caption.captioner import Captioner, Tokens
from text2image.labels.protocol.source import Answer, ImageAnswer

EMPTY = "empty answer"


class Batch(NamedTuple):
    """Images that the model takes together.

    Attributes:
        images: without repeats.
        pictures: theirs, of which smaller batches can be made.
        size: images in ``features``, repeats included.
        features: what the model takes; or the reason why it cannot take the image.
    """

    images: Sequence[ImageFile]
    pictures: list[Image.Image]
    size: int
    features: Any


class Batches(NamedTuple):
    """A batch, or each of its images by itself, and why another image of it could not be opened."""

    parts: Sequence[Batch]
    error: InputError | None


class Captions(NamedTuple):
    """Texts in tokens with their confidence, in [0, 1]: of images, for the batches of :class:`Batches`."""

    images: Sequence[ImageFile]
    texts: Sequence[tuple[Tokens, float]]


Step: TypeAlias = tuple[Batches, Any]
"""What was prepared, and the event after which it is complete on the device."""


def prepare(
    model: Captioner, images: Sequence[ImageFile], pictures: list[Image.Image], size: int
) -> list[Batch]:
    """Return a batch with what the model takes, filled up with repeats, or if that fails its images one by one.

    A strange image thus spoils no other; with it stands the reason why the model cannot take it.
    """
    try:
        features = model.prepare(pictures + [pictures[-1]] * (size - len(pictures)))
    except Exception as error:  # a processor may raise anything on an image of an odd shape
        if len(images) == 1:
            reason = f"the model cannot take this image ({type(error).__name__})"
            return [Batch(images, pictures, size, reason)]
        singles = zip(images, pictures, strict=True)
        return [part for image, picture in singles for part in prepare(model, [image], [picture], size)]
    return [Batch(images, pictures, size, features)]


class Lane:
    """A captioner on a device.

    Args:
        network: the model's, or a copy of it, on the device.
        size: images a batch; half of it from when the memory does not suffice. Texts differ with it at most where two words
            are equally probable within rounding.
    """

    def __init__(self, model: Captioner, network: Any, device: torch.device, size: int) -> None:
        self.model, self.network, self.device, self.size = model, network, device, size
        self._copies = torch.cuda.Stream(device) if device.type == "cuda" else None

    def load(self, batches: Batches) -> Step:
        """Copy batches to the device; those for which its memory does not suffice stay where they are."""
        parts = []
        with self._on(self._copies):
            for part in batches.parts:
                try:
                    parts.append(part._replace(features=self._copied(part.features)))
                except torch.OutOfMemoryError:
                    parts.append(part)
            complete = None if self._copies is None else self._copies.record_event()
        return Batches(parts, batches.error), complete

    def compute(self, loaded: Step) -> tuple[list[Captions | Batch], InputError | None]:
        """Caption batches; those that the model cannot take come back."""
        batches, complete = loaded
        made: list[Captions | Batch] = []
        with self._on(None):
            for part in batches.parts:
                if complete is not None and not isinstance(part.features, str):
                    self._after(complete, part.features)
                made += self._captions(part)
        return made, batches.error

    def spell(
        self, computed: tuple[list[Captions | Batch], InputError | None]
    ) -> tuple[list[ImageAnswer], InputError | None]:
        """Return the answers, in words."""
        parts, error = computed
        answers: list[ImageAnswer] = []
        for part in parts:
            if isinstance(part, Batch):
                answers += [(image.key, {"failure": part.features}) for image in part.images]
            else:
                texts = self.model.spell([tokens for tokens, _ in part.texts])
                confidences = (confidence for _, confidence in part.texts)
                spelt = zip(part.images, map(answer, texts, confidences), strict=False)  # not the repeats
                answers += [(image.key, one) for image, one in spelt]
        return answers, error

    def _captions(self, part: Batch) -> list[Captions | Batch]:
        """Caption a batch, in halves if the memory does not suffice.

        Raises:
            InputError: it does not suffice for one image.
        """
        if isinstance(part.features, str):
            return [part]
        if part.size <= self.size:
            try:
                return [Captions(part.images, self.model.generate(self._copied(part.features), self.network))]
            except torch.OutOfMemoryError:
                if part.size == 1:
                    raise InputError(
                        "expected a device whose memory holds the captioner and one image, found too little; set "
                        "runtime.device: cpu, or less for label.caption.max_side or num_beams, in params.yaml"
                    ) from None
            self.size = part.size // 2
            say(f"label caption: out of memory with {part.size} images at once: going on with {self.size}")
        part = part._replace(features=None)
        free_memory()
        made: list[Captions | Batch] = []
        size = self.size  # which may be halved again on the way
        for first in range(0, len(part.images), size):
            some = slice(first, first + size)
            for smaller in prepare(self.model, part.images[some], part.pictures[some], size):
                made += self._captions(smaller)
        return made

    def _copied(self, features: Any) -> Any:
        """Return features on the device, in the network's precision; nothing is copied that is there."""
        if isinstance(features, str):
            return features
        ready = features.to(dtype=self.network.dtype)  # only what is floating changes its type
        if self.device.type == "cuda":
            for name, value in ready.items():
                if isinstance(value, torch.Tensor) and value.device.type == "cpu":
                    ready[name] = value.pin_memory()
        return ready.to(self.device, non_blocking=self.device.type == "cuda")

    def _after(self, complete: Any, features: Any) -> None:
        """Have the computing stream wait until features are copied, and their memory be kept until it has read them."""
        stream = torch.cuda.current_stream(self.device)
        stream.wait_event(complete)
        for value in features.values():
            if isinstance(value, torch.Tensor) and value.device.type == "cuda":
                value.record_stream(stream)

    def _on(self, stream: Any) -> AbstractContextManager[Any]:
        """Return what makes the device current, and a stream of it; None for that in which it computes."""
        if self.device.type != "cuda":
            return nullcontext()
        current: AbstractContextManager[Any] = torch.cuda.stream(
            stream or torch.cuda.default_stream(self.device)
        )
        return current


def answer(text: str, confidence: float) -> Answer:
    """Return the answer for an image."""
    return {"caption": text, "confidence": confidence} if text else {"failure": EMPTY}
