"""Vectors of images and texts from the store; what is not there is embedded, and kept batch by batch.

So ten new images in a folder cost ten images, and a killed run loses at most one batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from text2image.base.console import progress
from text2image.base.settings import Runtime
from text2image.base.store import Store
from text2image.collection.manifest import ImageFile
from text2image.encoders.vectors import Vectors, gather, image_determinants, text_determinants, text_key

Item = TypeVar("Item")
Batch = list[tuple[str, bytes]]
"""Keys of the store and vectors, float32."""


class Stored(NamedTuple):
    """The vectors of all items, ``(n_items, dim)`` float32, and how many of them were embedded just now."""

    vectors: Vectors
    n_embedded: int


def image_vectors(
    name: str,
    card: dict[str, Any],
    images: Sequence[ImageFile],
    precision: str,
    embed: Callable[[Sequence[ImageFile]], Iterator[Batch]],
) -> Stored:
    """Return the vectors of images by the model of a card.

    Args:
        name: of the model, for the progress bar.
        precision: ``embed.precision``.
        embed: computes those that the store does not have.
    """
    items = {image.image_id: image for image in images}
    return _stored(image_determinants(card, precision), items, embed, "image", f"embed images with {name}")


def text_vectors(
    name: str,
    card: dict[str, Any],
    texts: Sequence[str],
    precision: str,
    embed: Callable[[Sequence[str]], Iterator[Batch]],
) -> Stored:
    """Return the vectors of different texts, as :func:`image_vectors` does it."""
    items = {text_key(text): text for text in texts}
    return _stored(text_determinants(card, precision), items, embed, "text", f"embed queries with {name}")


def _stored(
    determinants: dict[str, Any],
    items: Mapping[str, Item],
    embed: Callable[[Sequence[Item]], Iterator[Batch]],
    unit: str,
    title: str,
) -> Stored:
    with Store("embeddings", determinants) as store:
        missing = [items[key] for key in store.missing(items)]
        if missing:
            kept = len(items) - len(missing)
            with progress(total=len(items), done=kept, unit=unit, title=title) as bar:
                for batch in embed(missing):
                    store.put(batch)
                    bar.update(len(batch))
        return Stored(gather(store, list(items)), len(missing))


def embed_images_here(
    name: str, card: dict[str, Any], precision: str, runtime: Runtime, images: Sequence[ImageFile]
) -> Iterator[Batch]:
    """Yield the vectors of images batch by batch, computed on this machine."""
    from text2image.encoders.device import pick_device
    from text2image.encoders.embedding import embed_images
    from text2image.encoders.models.load import load_model

    device = pick_device(runtime.device)
    model = load_model(name, card, device, precision)
    for batch, rows in embed_images(model, images, device, runtime):
        yield [(image.image_id, row.tobytes()) for image, row in zip(batch, rows, strict=True)]


def embed_texts_here(
    name: str, card: dict[str, Any], precision: str, runtime: Runtime, texts: Sequence[str]
) -> Iterator[Batch]:
    """Yield the vectors of texts batch by batch, computed on this machine."""
    from text2image.encoders.device import pick_device
    from text2image.encoders.embedding import embed_texts
    from text2image.encoders.models.load import load_model

    device = pick_device(runtime.device)
    model = load_model(name, card, device, precision)
    for batch, rows in embed_texts(model, texts, device, runtime):
        yield [(text_key(text), row.tobytes()) for text, row in zip(batch, rows, strict=True)]
