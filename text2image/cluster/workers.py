"""What workers of a cluster compute: embeddings and labels, by the same functions as on one machine."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from text2image.base.console import InputError
from text2image.base.settings import Runtime, Section
from text2image.cluster.actor import Work
from text2image.cluster.pipeline import TaskSize, map_images
from text2image.collection.manifest import ImageFile
from text2image.encoders.settings import LOCAL_DIR, Model, checkpoint_directory
from text2image.labels.protocol.source import Answer, Context, load

FAST = TaskSize(on_cpu=64, on_gpu=512)
SLOW = {"caption": TaskSize(on_cpu=4, on_gpu=32), "ocr": TaskSize(on_cpu=32, on_gpu=None)}


def embed_on_cluster(
    name: str, card: dict[str, Any], precision: str, runtime: Runtime, images: Sequence[ImageFile]
) -> Iterator[list[tuple[str, bytes]]]:
    """Yield ``[(image_id, row), …]``, rows as the store keeps them, in any order."""
    start = partial(embedder, name, card | {"name": shared(card["name"])}, precision)
    yield from map_images(start, images, runtime, FAST)


def embedder(name: str, card: dict[str, Any], precision: str, runtime: Runtime) -> Work:
    """Load an embedding model on a worker, in a precision (``embed.precision``).

    Raises:
        InputError: the model is not there, or its files are not those of the card.
    """
    from text2image.encoders.device import pick_device
    from text2image.encoders.embedding import embed_images
    from text2image.encoders.models.card import describe
    from text2image.encoders.models.load import load_model

    entry = Model(**{key: card[key] for key in Model.model_fields if key in card})
    if describe(name, entry)["files"] != card["files"]:
        raise InputError(
            f"expected the files of model '{name}' as data/models/{name}.json lists them, found others; give every "
            "machine of the cluster the same"
        )
    device = pick_device(runtime.device)
    model = load_model(name, card, device, precision)

    def work(images: Sequence[ImageFile]) -> Iterator[tuple[str, bytes]]:
        for batch, rows in embed_images(model, images, device, runtime):
            yield from zip((image.image_id for image in batch), (row.tobytes() for row in rows), strict=True)

    return work


def ask_on_cluster(
    source: str,
    settings: Section,
    context: Context,
    determinants: Mapping[str, Any],
    images: Sequence[ImageFile],
) -> Iterator[tuple[str, Answer]]:
    """Yield ``(image_id, answer)`` as a source's own ``ask`` does, in any order."""
    start = partial(labeller, source, shared_settings(settings), context, dict(determinants))
    for chunk in map_images(start, images, context.runtime, SLOW.get(source, FAST)):
        for image_id, answer in chunk:
            yield image_id, json.loads(answer)


def labeller(
    source: str, settings: Section, context: Context, determinants: dict[str, Any], runtime: Runtime
) -> Work:
    """Load a label source's model on a worker.

    Raises:
        InputError: the model is not there, or is not the one that answers are stored under.
    """
    labeler = load(source, settings, context._replace(runtime=runtime))
    here = labeler.determinants or {}
    others = sorted(
        key for key in here.keys() | determinants.keys() if here.get(key) != determinants.get(key)
    )
    if others or labeler.start is None:
        raise InputError(
            f"expected what answers of label.{source} (params.yaml) depend on to be the same on every machine of the "
            f"cluster, found other values of {', '.join(others)}; install the same packages and models everywhere"
        )
    ask = labeler.start()

    def work(images: Sequence[ImageFile]) -> Iterator[tuple[str, bytes]]:
        for image_id, answer in ask(images):
            yield image_id, json.dumps(answer).encode()

    return work


def shared(name: str) -> str:
    """Return a model's name; a ``local-dir:`` with the path that every machine uses."""
    directory = checkpoint_directory(name)
    return name if directory is None else f"{LOCAL_DIR}{directory.absolute()}"


def shared_settings(settings: Section) -> Section:
    """Return a source's settings in which a model that is a folder has the path that every machine uses."""
    model = getattr(settings, "model", None)
    if model is None:
        return settings
    if Path(model).is_dir():
        return settings.model_copy(update={"model": str(Path(model).absolute())})
    return settings.model_copy(update={"model": shared(model)})
