"""ImageNet-1k classifiers: loaded, and asked for the most probable classes of images."""

from collections.abc import Iterator, Sequence

import torch
from open_clip import IMAGENET_CLASSNAMES
from open_clip.transform import image_transform

from text2image.base.console import InputError
from text2image.base.settings import Runtime
from text2image.collection.manifest import ImageFile
from text2image.encoders.builtin import efficientnet_lite
from text2image.encoders.device import pick_devices, replicate
from text2image.encoders.images.forward import Replica, forward_images
from text2image.encoders.images.preprocessing import Transform, preprocessing
from text2image.labels.protocol.source import Ask, ImageAnswer

CLASSES = 1000
PROBABILITY_DIGITS = 6


def load_builtin() -> tuple[torch.nn.Module, Transform]:
    """Return the classifier that comes with a package, ``(n, 3, h, w) -> (n, 1000)`` logits, and its transform."""
    return efficientnet_lite.classifier(), builtin_transform()


def builtin_transform() -> Transform:
    transform: Transform = image_transform(
        efficientnet_lite.IMAGE_SIZE,
        is_train=False,
        mean=efficientnet_lite.MEAN,
        std=efficientnet_lite.STD,
        resize_mode="squash",
        interpolation="bicubic",
    )
    return transform


def load_timm(model: str) -> tuple[torch.nn.Module, Transform]:
    """Return a classifier of timm's in evaluation mode, ``(n, 3, h, w) -> (n, 1000)`` logits, and its transform.

    Raises:
        InputError: timm has no such model, its weights are not on this machine, or it has other classes.
    """
    import timm

    from text2image.labels.imagenet.timm_weights import find_weights, unavailable

    weights = find_weights(model, local_only=True)
    try:
        network = timm.create_model(weights.name, pretrained=True, pretrained_cfg_overlay=weights.overlay)
    except Exception as error:
        raise unavailable(model, error) from None
    if network.num_classes != CLASSES:
        raise InputError(
            f"expected label.imagenet.model in params.yaml to have {CLASSES} classes, "
            f"found {network.num_classes} in '{model}'"
        )
    config = timm.data.resolve_model_data_config(network)
    return network.eval(), timm.data.create_transform(**config, is_training=False)


def ask(network: torch.nn.Module, transform: Transform, classes: int, runtime: Runtime) -> Ask:
    """Return what yields the most probable ``classes`` of each image, in order."""
    devices = pick_devices(runtime)
    networks = replicate(network.to(memory_format=torch.channels_last), devices)
    replicas = [Replica(*pair) for pair in zip(networks, devices, strict=True)]
    ready = preprocessing(transform)

    def classify(images: Sequence[ImageFile]) -> Iterator[ImageAnswer]:
        batches = forward_images(
            images, ready, replicas, batch_size=runtime.batch_size, workers=runtime.workers
        )
        for batch, logits in batches:
            best = logits.float().softmax(dim=1).topk(classes)
            rows = zip(batch, best.values.tolist(), best.indices.tolist(), strict=True)
            for image, probabilities, indices in rows:
                named = [
                    {"name": IMAGENET_CLASSNAMES[i], "index": i, "probability": round(p, PROBABILITY_DIGITS)}
                    for p, i in zip(probabilities, indices, strict=True)
                ]
                yield image.key, {"classes": named}

    return classify
