"""Hugging Face image-to-text models: loaded, and asked for a text with its confidence."""

import threading
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import torch
from PIL import Image
from transformers import AutoImageProcessor, AutoModelForImageTextToText, AutoProcessor, AutoTokenizer
from transformers.utils import logging

from text2image.base.console import InputError
from text2image.encoders.images.decoding import to_tensor
from text2image.labels.caption.source import Settings, find_commit, unavailable

ENCODER_DECODER = "vision-encoder-decoder"
CONFIDENCE_DIGITS = 6

Tokens: TypeAlias = list[int]


class Captioner:
    """A loaded model. :meth:`prepare` and :meth:`spell` may run in threads beside :meth:`generate`.

    Attributes:
        prepares_in_threads: :meth:`prepare` works in several threads at once. The processors of models with a prompt
            do not, since a tokenizer, which is part of them, cannot.
    """

    def __init__(self, settings: Settings) -> None:
        options = location(settings)
        network = AutoModelForImageTextToText.from_pretrained(dtype="auto", weights_only=True, **options)
        self.network, self.settings = network.eval(), settings
        self.tokenizer: Any
        self._prepare: Callable[[list[Image.Image]], Any]
        self._one_at_a_time = threading.Lock()  # a tokenizer cannot encode and decode at once
        self.prepares_in_threads = network.config.model_type == ENCODER_DECODER
        if self.prepares_in_threads:
            self.tokenizer = AutoTokenizer.from_pretrained(**options)
            self._prepare = alone(AutoImageProcessor.from_pretrained(**options))
        else:
            processor = AutoProcessor.from_pretrained(**options)
            self.tokenizer = processor.tokenizer
            self.tokenizer.padding_side = "left"  # the answer follows the prompt without a gap
            self.tokenizer.pad_token = self.tokenizer.pad_token or self.tokenizer.eos_token
            self._prepare = with_prompt(processor, settings.prompt)

    def prepare(self, images: list[Image.Image]) -> Any:
        """Turn RGB images of any sizes into what the model takes."""
        with nullcontext() if self.prepares_in_threads else self._one_at_a_time:
            return self._prepare(images)

    def generate(self, features: Any, network: Any) -> list[tuple[Tokens, float]]:
        """Return tokens and confidence, in [0, 1], of each prepared image.

        Args:
            features: what :meth:`prepare` returned, on the network's device and of its type.
            network: this model's, or a copy of it on another device.
        """
        return list(zip(*generate(network, features, self.settings), strict=True))

    def spell(self, tokens: Sequence[Tokens]) -> list[str]:
        """Return the texts that tokens stand for."""
        with self._one_at_a_time:
            return [self.tokenizer.decode(row, skip_special_tokens=True).strip() for row in tokens]


def load(settings: Settings) -> Captioner:
    """Load a model from a folder, or from the commit of the hub that its determinants name.

    Raises:
        InputError: it cannot be had, is no image-to-text model, or needs code that is not trusted.
    """
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        return Captioner(settings)
    except InputError:
        raise
    except Exception as error:  # of transformers, of the hub's client and of its transport
        raise unavailable(settings, error) from None


def location(settings: Settings) -> dict[str, Any]:
    """Return the arguments of ``from_pretrained`` that say what to load."""
    folder = Path(settings.model).is_dir()
    return {
        "pretrained_model_name_or_path": settings.model,
        "revision": "main" if folder else find_commit(settings, local_only=True),
        "trust_remote_code": settings.trust_remote_code,
    }


def alone(processor: Any) -> Callable[[list[Image.Image]], Any]:
    """Return what puts images through an image processor, out of the interpreter's lock where it works on tensors."""
    if getattr(processor, "backend", None) != "torchvision":
        return partial(processor, return_tensors="pt")
    return lambda images: processor([to_tensor(image) for image in images], return_tensors="pt")


def with_prompt(processor: Any, prompt: str | None) -> Callable[[list[Image.Image]], Any]:
    """Return what puts images and the prompt into the model's chat template, or as they are if it has none."""
    instruction = [{"type": "text", "text": prompt}] if prompt else []

    def prepare(images: list[Image.Image]) -> Any:
        if not processor.chat_template:
            texts = [prompt] * len(images) if prompt else None
            return processor(images=images, text=texts, padding=True, return_tensors="pt")
        turns = [
            [{"role": "user", "content": [{"type": "image", "image": image}, *instruction]}]
            for image in images
        ]
        return processor.apply_chat_template(
            turns,
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
            processor_kwargs={"padding": True},
        )

    return prepare


def generate(network: Any, features: Any, settings: Settings) -> tuple[list[Tokens], list[float]]:
    """Return the new tokens of each sequence, up to its end, and ``exp(mean log p(token))``, in [0, 1]."""
    with torch.inference_mode():
        output = network.generate(
            **features,
            do_sample=False,
            num_beams=settings.num_beams,
            max_new_tokens=settings.max_new_tokens,
            return_dict_in_generate=True,
            output_logits=True,
        )
    beams = getattr(output, "beam_indices", None)  # which row of the logits each token was chosen from
    if beams is None:
        beams = torch.arange(len(output.sequences)).unsqueeze(1).expand(-1, len(output.logits))
    beams = beams.clamp(min=0).to(output.sequences.device)
    tokens = output.sequences[:, -beams.shape[1] :]
    chosen = [
        logits[rows].float().log_softmax(dim=1).gather(1, token.unsqueeze(1))
        for logits, rows, token in zip(output.logits, beams.T, tokens.T, strict=False)
    ]
    kept = _until_end(tokens, network.generation_config.eos_token_id)
    means = (torch.cat(chosen, dim=1) * kept).sum(dim=1) / kept.sum(dim=1)
    rows = [row[own].tolist() for row, own in zip(tokens, kept, strict=True)]
    return rows, [round(value, CONFIDENCE_DIGITS) for value in means.exp().tolist()]


def _until_end(tokens: torch.Tensor, end: int | list[int] | None) -> torch.Tensor:
    """Return which tokens ``(n, length)`` stand before or at the first end token of their row."""
    ids = [] if end is None else [end] if isinstance(end, int) else end
    ends = torch.isin(tokens, torch.tensor(ids, dtype=tokens.dtype, device=tokens.device)).int()
    return ends.cumsum(dim=1) - ends == 0
