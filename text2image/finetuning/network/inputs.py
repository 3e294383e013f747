"""What goes into the towers: pixels and tokens, or, where trunks are frozen, features computed once.

Features are kept in the content-addressed store, keyed by the base model's files and the image or text,
so that the second run with the same base model, whatever its settings, encodes nothing.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from text2image.base.parallel import in_threads
from text2image.base.settings import Runtime
from text2image.collection.manifest import ImageFile
from text2image.encoders.device import one_torch_thread
from text2image.encoders.images.forward import Replica, forward_images
from text2image.encoders.images.preprocessing import preprocessing
from text2image.encoders.models.load import EmbeddingModel
from text2image.encoders.vectors import Batch, image_determinants, stored_vectors, text_determinants, text_key
from text2image.finetuning.network.towers import Towers, device_of

PRECISION = "fp32"
"""Of weights and features, whatever ``embed.precision`` says: gradients need it."""

INPUTS = 2
"""Version of how the trunk's inputs are made beside what determines embeddings: since 2 they are the same as theirs."""

KIND = "features"
"""The kind of store that holds them."""

AT_ONCE = 64
"""Images or texts that go through a whole tower together when a part is measured."""


class Base(NamedTuple):
    """The model that a run starts from: its card (see :mod:`text2image.encoders.models`), and loaded."""

    card: dict[str, Any]
    model: EmbeddingModel


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
        ready = preprocessing(self.model.transform)
        files = [self.images[row] for row in rows]
        pixels = list(in_threads(ready.input_of, files, None, one_torch_thread))
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
        return _some_at_a_time(self.image_rows, rows)

    def all_texts(self, rows: Sequence[int]) -> Tensor:
        """Return unit rows of many texts, some at a time."""
        return _some_at_a_time(self.text_rows, rows)


def _some_at_a_time(embed: Callable[[Sequence[int]], Tensor], rows: Sequence[int]) -> Tensor:
    return torch.cat([embed(rows[start : start + AT_ONCE]) for start in range(0, len(rows), AT_ONCE)])


def make_inputs(
    towers: Towers,
    base: Base,
    images: Sequence[ImageFile],
    texts: Sequence[str],
    runtime: Runtime,
    frozen: bool,
) -> Inputs:
    """Return what goes into the towers; if trunks are ``frozen``, what they make of it, computed once."""
    features = None
    if frozen:
        device = device_of(towers.network)
        image_features = _image_features(towers, base, images, runtime).to(device)
        features = image_features, _text_features(towers, base, texts).to(device)
    return Inputs(towers, base.model, images, texts, features)


def image_features_determinants(card: dict[str, Any]) -> dict[str, Any]:
    """Return all that determines what a trunk makes of an image besides its key."""
    return {"trunk": image_determinants(card, PRECISION), "inputs": INPUTS}


def _image_features(towers: Towers, base: Base, images: Sequence[ImageFile], runtime: Runtime) -> Tensor:
    network = towers.network.to(memory_format=torch.channels_last)

    def compute(missing: Sequence[ImageFile]) -> Iterator[Batch]:
        batches = forward_images(
            missing,
            preprocessing(base.model.transform),
            [Replica(network.encode_image, device_of(network))],
            batch_size=runtime.batch_size,
            workers=runtime.workers,
        )
        for batch, rows in batches:
            arrays = rows.float().cpu().numpy()
            yield [(image.key, row.tobytes()) for image, row in zip(batch, arrays, strict=True)]

    features, _ = stored_vectors(
        image_features_determinants(base.card),
        {image.key: image for image in images},
        compute,
        unit="image",
        title="image features",
        kind=KIND,
    )
    return torch.from_numpy(features)


def _text_features(towers: Towers, base: Base, texts: Sequence[str]) -> Tensor:
    def compute(missing: Sequence[str]) -> Iterator[Batch]:
        # One text at a time: its features then do not depend on what is tokenised beside it.
        for text in missing:
            tokens = base.model.tokenize([text]).to(device_of(towers.network))
            with torch.inference_mode():
                row = towers.network.encode_text(tokens)[0].float().cpu().numpy()
            yield [(text_key(text), row.tobytes())]

    text_of = {text_key(text): text for text in texts}
    determinants = {"trunk": text_determinants(base.card, PRECISION)}
    features, _ = stored_vectors(
        determinants, text_of, compute, unit="text", title="text features", kind=KIND
    )
    row_of = {key: row for row, key in enumerate(text_of)}
    return torch.from_numpy(features)[[row_of[text_key(text)] for text in texts]]
