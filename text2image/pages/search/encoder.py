"""A query, text or picture, as a vector of one model: as the pipeline computes it, and kept in the same store."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from text2image.base.console import InputError, one_line, say
from text2image.base.store import Store
from text2image.collection.images import UnusableImage, decode, image_id, read_bytes
from text2image.collection.manifest import ImageFile
from text2image.encoders.vectors import gather, image_determinants, text_determinants, text_key
from text2image.formats.texts import normalise_text
from text2image.params import Params

if TYPE_CHECKING:
    from text2image.encoders.models.load import EmbeddingModel

Vectors = npt.NDArray[np.float32]


class QueryEncoder:
    """One model, which is loaded when the first query asks for it that was never embedded.

    Several threads may ask at once; the model answers one after the other.

    Args:
        name: of the model.
        card: what data/models/MODEL.json says of it.
        params: of the run.
    """

    def __init__(self, name: str, card: dict[str, Any], params: Params) -> None:
        self.name, self.card, self.params = name, card, params
        self._model: EmbeddingModel | None = None
        self._lock = threading.Lock()

    def encode_text(self, query: str) -> Vectors:
        """Return the text's row, ``(1, dim)``: from the store if it was ever embedded, else computed.

        Raises:
            InputError: the text is blank.
        """
        text = normalise_text(query)
        if not text:
            raise InputError("expected a text or the path of an image as query, found nothing visible")
        key = text_key(text)
        with Store("embeddings", text_determinants(self.card, self.params.embed.precision)) as store:
            if store.missing([key]):
                from text2image.encoders.embedding import embed_texts

                with self._lock:
                    model = self._loaded()
                    device = next(model.network.parameters()).device
                    for _, rows in embed_texts(model, [text], device, self.params.runtime):
                        store.put([(key, rows[0].tobytes())])
            return gather(store, [key])

    def encode_picture(self, path: Path, key: str) -> Vectors:
        """Return the row of the picture at ``path``, ``(1, dim)``: from the store if it is there, else computed.

        Args:
            path: of a usable image.
            key: its id, from :func:`picture_id`.
        """
        with Store("embeddings", image_determinants(self.card, self.params.embed.precision)) as store:
            if store.missing([key]):
                from text2image.encoders.embedding import embed_images

                with self._lock:
                    model = self._loaded()
                    device = next(model.network.parameters()).device
                    files = [ImageFile(key, path)]
                    for _, rows in embed_images(model, files, device, self.params.runtime):
                        store.put([(key, rows[0].tobytes())])
            return gather(store, [key])

    def _loaded(self) -> EmbeddingModel:
        if self._model is None:
            from text2image.encoders.device import pick_device
            from text2image.encoders.models.load import load_model

            say(f"loading {self.name} …")
            device = pick_device(self.params.runtime.device)
            self._model = load_model(self.name, self.card, device, self.params.embed.precision)
        return self._model


def picture_id(path: Path, max_pixels: int) -> str:
    """Return the id of the picture at ``path``.

    Raises:
        InputError: the file is not a usable image.
    """
    try:
        content = read_bytes(path)
        decode(content, max_pixels)
    except UnusableImage as error:
        raise InputError(f"expected a usable image at {one_line(path)}, found: {error}") from None
    return image_id(content)
