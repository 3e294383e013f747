"""What goes into the towers: pixels and tokens, or, where trunks are frozen, features computed once.

Features are kept in the content-addressed store, keyed by the base model's files and the image or text,
so that the second run with the same base model, whatever its settings, encodes nothing.
"""

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from text2image.base.console import progress
from text2image.base.settings import Runtime
from text2image.base.store import Store
from text2image.collection.images import open_image
from text2image.collection.manifest import ImageFile
from text2image.encoders.forward import forward_images
from text2image.encoders.models.load import EmbeddingModel
from text2image.encoders.vectors import gather, image_determinants, text_determinants
from text2image.finetuning.network.towers import Towers, device_of

PRECISION = "fp32"
"""Of weights and features, whatever ``embed.precision`` says: gradients need it."""

AT_ONCE = 64
"""Images or texts that go through a whole tower together when a part is measured."""


class Inputs(NamedTuple):
    """The towers and what they read, by row of the gallery and of the queries.

    Attributes:
        features: of all images and of all texts, ``(n, width)``, where trunks are frozen; else None.
    """

    towers: Towers
    model: EmbeddingModel
    images: Sequence[ImageFile]
    texts: Sequence[str]
    features: tuple[Tensor, Tensor] | None

    def image_rows(self, rows: Sequence[int], *, training: bool = False) -> Tensor:
        """Return unit rows of some images: ``(len(rows), dim)``."""
        if self.features:
            return self.towers.image_rows(self.features[0][list(rows)], training=training)
        pixels = [self.model.transform(open_image(self.images[row].path)) for row in rows]
        trunk = self.towers.network.encode_image(torch.stack(pixels).to(device_of(self.towers.network)))
        return self.towers.image_rows(trunk, training=training)

    def text_rows(self, rows: Sequence[int], *, training: bool = False) -> Tensor:
        """Return unit rows of some texts: ``(len(rows), dim)``."""
        if self.features:
            return self.towers.text_rows(self.features[1][list(rows)], training=training)
        tokens = self.model.tokenize([self.texts[row] for row in rows])
        trunk = self.towers.network.encode_text(tokens.to(device_of(self.towers.network)))
        return self.towers.text_rows(trunk, training=training)

    def all_images(self, rows: Sequence[int]) -> Tensor:
        """Return unit rows of many images, some at a time."""
        return torch.cat([self.image_rows(some) for some in _chunks(rows)])

    def all_texts(self, rows: Sequence[int]) -> Tensor:
        """Return unit rows of many texts, some at a time."""
        return torch.cat([self.text_rows(some) for some in _chunks(rows)])


def _chunks(rows: Sequence[int]) -> Iterator[Sequence[int]]:
    return (rows[start : start + AT_ONCE] for start in range(0, len(rows), AT_ONCE))


def trunk_features(
    towers: Towers,
    model: EmbeddingModel,
    images: Sequence[ImageFile],
    texts: Sequence[str],
    card: dict[str, Any],
    runtime: Runtime,
) -> tuple[Tensor, Tensor]:
    """Return what the trunks make of all images and texts: ``(n, width)`` float32 each, on the towers' device."""
    device = device_of(towers.network)
    return (
        _image_features(towers, model, images, card, runtime).to(device),
        _text_features(towers, model, texts, card).to(device),
    )


def _image_features(
    towers: Towers, model: EmbeddingModel, images: Sequence[ImageFile], card: dict[str, Any], runtime: Runtime
) -> Tensor:
    with Store("features", {"trunk": image_determinants(card, PRECISION)}) as store:
        ids = [image.image_id for image in images]
        missing = set(store.missing(ids))
        todo = [image for image in images if image.image_id in missing]
        network = towers.network.to(memory_format=torch.channels_last)
        batches = forward_images(
            todo,
            model.transform,
            network.encode_image,
            device_of(network),
            batch_size=runtime.batch_size,
            workers=runtime.workers,
        )
        with progress(total=len(ids), done=len(ids) - len(todo), unit="image", title="image features") as bar:
            for batch, rows in batches:
                arrays = rows.float().cpu().numpy()
                store.put((image.image_id, row.tobytes()) for image, row in zip(batch, arrays, strict=True))
                bar.update(len(batch))
        return torch.from_numpy(gather(store, ids))


@torch.inference_mode()
def _encode(towers: Towers, model: EmbeddingModel, texts: list[str]) -> np.ndarray[Any, np.dtype[np.float32]]:
    tokens = model.tokenize(texts).to(device_of(towers.network))
    rows: np.ndarray[Any, np.dtype[np.float32]] = towers.network.encode_text(tokens).float().cpu().numpy()
    return rows


def _text_features(
    towers: Towers, model: EmbeddingModel, texts: Sequence[str], card: dict[str, Any]
) -> Tensor:
    keys = [hashlib.sha256(text.encode("utf-8")).hexdigest()[:24] for text in texts]
    text_of = dict(zip(keys, texts, strict=True))
    with Store("features", {"trunk": text_determinants(card, PRECISION)}) as store:
        # One text at a time: its features then do not depend on what is tokenised beside it.
        for key in store.missing(text_of):
            store.put([(key, _encode(towers, model, [text_of[key]])[0].tobytes())])
        row_of = {key: row for row, key in enumerate(text_of)}
        return torch.from_numpy(gather(store, list(text_of)))[[row_of[key] for key in keys]]
