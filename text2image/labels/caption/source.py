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

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from PIL import Image

from text2image.base.parallel import in_threads
from text2image.base.settings import Runtime
from text2image.collection.images import open_image
from text2image.collection.manifest import ImageFile
from text2image.formats.files import sha256
from text2image.labels.caption.settings import Settings
from text2image.labels.protocol.source import Answer, Ask, Context, Label, Labeler, NoLabel

CPU_BATCH, ACCELERATOR_BATCH = 1, 16
Item = TypeVar("Item")


def labeler(settings: Settings, context: Context) -> Labeler:
    """Return the labeler of ``label.caption.model``; a folder is known by what is in it."""
    folder = Path(settings.model)
    about = settings.model_dump(exclude={"trust_remote_code"})
    if folder.is_dir():
        kept = sorted(path for path in folder.rglob("*") if path.is_file())
        files = {path.relative_to(folder).as_posix(): sha256(path) for path in kept}
        about |= {"model": files, "revision": None}

    def start() -> Ask:
        return describer(settings, context.runtime)

    def ask(images: Sequence[ImageFile]) -> Iterator[tuple[str, Answer]]:
        yield from start()(images)

    return Labeler(about, ask, read, start=start)


def read(image_id: str, answer: Answer) -> Iterable[Label | NoLabel]:
    """Return the caption with its confidence, or why there is none."""
    if "failure" in answer:
        return [NoLabel(image_id, answer["failure"])]
    return [Label(image_id, answer["caption"], answer["confidence"])]


def describe(
    images: Sequence[ImageFile], settings: Settings, runtime: Runtime
) -> Iterator[tuple[str, Answer]]:
    """Yield a caption for each image, in order."""
    yield from describer(settings, runtime)(images)


def describer(settings: Settings, runtime: Runtime) -> Ask:
    """Load a model and return what yields a caption for each image, in order.

    Threads decode images and prepare the next batches while the model is at work. Batches are filled up to
    the same size with repeats. What stands beside an image in its batch changes its text at most where
    two words are equally probable within rounding; a batch of one, as on a CPU, excludes that too.
    """
    from text2image.encoders.device import pick_device
    from text2image.labels.caption.captioner import load

    device = pick_device(runtime.device)
    model = load(settings)
    model.network.to(device)
    size = runtime.batch_size or (CPU_BATCH if device.type == "cpu" else ACCELERATOR_BATCH)

    def ready(batch: list[tuple[ImageFile, Image.Image]]) -> list[tuple[list[str], Any]]:
        """Prepare a batch, or if that fails its images one by one, so that a strange one spoils no other."""
        pictures = [picture for _, picture in batch]
        try:
            features = model.prepare(pictures + [pictures[-1]] * (size - len(pictures)))
        except Exception as error:  # a processor may raise anything on an image of an odd shape
            if len(batch) > 1:
                return [part for single in batch for part in ready([single])]
            features = {"failure": f"the model cannot take this image ({type(error).__name__})"}
        return [([image.image_id for image, _ in batch], features)]

    def picture(image: ImageFile) -> Image.Image:
        opened = open_image(image.path)
        opened.thumbnail((settings.max_side, settings.max_side), Image.Resampling.LANCZOS)
        return opened

    def captions(images: Sequence[ImageFile]) -> Iterator[tuple[str, Answer]]:
        pictures = in_threads(picture, images, runtime.workers)
        for parts in in_threads(ready, _batches(zip(images, pictures, strict=True), size), 1):
            for image_ids, features in parts:
                if "failure" in features:
                    yield image_ids[0], features
                    continue
                given = model.caption(features, device)
                for image_id, (text, confidence) in zip(
                    image_ids, given, strict=False
                ):  # without the repeats
                    found: Answer = {"caption": text, "confidence": confidence}
                    yield image_id, found if text else {"failure": "empty answer"}

    return captions


def _batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    remaining = iter(items)
    while batch := list(islice(remaining, size)):
        yield batch
