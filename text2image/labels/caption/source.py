"""Label source ``caption``: what a Hugging Face image-to-text model says of an image.

Two kinds of models are told apart by their configuration: an image encoder with a text decoder
(``vision-encoder-decoder``, as nlpconnect/vit-gpt2-image-captioning), which is given the image alone,
and all others of ``AutoModelForImageTextToText`` (SmolVLM, Qwen-VL, LLaVA, BLIP …), which get
``label.caption.prompt`` in their chat template, or as it is if they have none. Decoding is a beam search
without sampling. A model computes in the precision that it was saved in.

The confidence is the geometric mean of the probabilities that the model gave the tokens it chose.
Weights are safetensors or read with ``weights_only``, so nothing is unpickled.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from text2image.base.settings import Runtime
from text2image.labels.caption.settings import Settings
from text2image.labels.protocol.source import Answer, Ask, ComputedSource, Label, NoLabel


class Source(ComputedSource):
    """A captioner, from a folder or the hub."""

    task_size = (4, 32)

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._folder = Path(settings.model)

    def fetch(self) -> None:
        """Find out which commit of the hub's model is the newest."""
        if not self._folder.is_dir():
            from text2image.labels.caption.hub import find_commit

            find_commit(self.settings, local_only=False)

    def determinants(self) -> dict[str, Any]:
        """Return the settings, with the hashes of a folder's files or the commit of a model on the hub."""
        from text2image.labels.caption.hub import find_commit, hash_folder

        settings = self.settings.model_dump(exclude={"trust_remote_code"})
        if self._folder.is_dir():
            return settings | {"model": hash_folder(self._folder), "revision": None}
        return settings | {"revision": find_commit(self.settings, local_only=True)}

    def load(self, runtime: Runtime) -> Ask:
        """Load the model."""
        from text2image.encoders.device import pick_device
        from text2image.labels.caption.batches import caption_images
        from text2image.labels.caption.captioner import load

        model = load(self.settings)
        return caption_images(model, pick_device(runtime.device), self.settings.max_side, runtime)

    def read(self, image_id: str, answer: Answer) -> Iterable[Label | NoLabel]:
        """Return the caption with its confidence, or why there is none."""
        if "failure" in answer:
            return [NoLabel(image_id, answer["failure"])]
        return [Label(image_id, answer["caption"], answer["confidence"])]
