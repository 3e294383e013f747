"""A query, text or picture, as a vector of one model: as the pipeline computes it, and kept in the same store."""

import threading
from typing import TYPE_CHECKING, Any

import numpy as np

from text2image.base.arrays import Vectors
from text2image.base.console import say
from text2image.base.store import Store
from text2image.collection.images import open_image
from text2image.collection.manifest import ImageFile
from text2image.encoders.models.towers import import_for
from text2image.encoders.settings import WHOLE
from text2image.encoders.vectors import Matrix, image_determinants, text_determinants, text_key
from text2image.encoders.views import mean_views, views_of
from text2image.params import Params

if TYPE_CHECKING:
    from text2image.encoders.models.load import EmbeddingModel


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

    def encode_text(self, text: str) -> Vectors:
        """Return a normalised text's row, ``(1, dim)``: from the store if it was ever embedded, else computed."""
        determinants = text_determinants(self.card, self.params.embed.precision)
        return self._stored(determinants, text_key(text), text)

    def encode_picture(self, image: ImageFile) -> Vectors:
        """Return the row of a usable picture, ``(1, dim)``, from :func:`text2image.collection.images.identify`.

        It is that of the whole picture, or the mean of its views where the gallery's vectors are such means.

        Raises:
            InputError: its file has changed meanwhile.
        """
        determinants = image_determinants(self.card, self.params.embed.precision, self._decode())
        views = self.card.get("views", [WHOLE])  # cards of earlier versions have none
        if len(views) == 1 or self.card["combine"] == "max":
            return self._stored(determinants, image.key, image)
        parts = [image._replace(box=view.box) for view in views_of(*open_image(image).size, views)]
        rows = np.concatenate([self._stored(determinants, part.key, part) for part in parts])
        return mean_views(rows, np.zeros(1, dtype=np.int64))

    def _decode(self) -> str:
        """Return what decodes a picture that is asked for: as the gallery's, where this machine can do so.

        Else it is the CPU, whose pixels differ by next to nothing; the vector then stands under its own name.
        """
        if self.params.embed.decode == "cpu":
            return "cpu"
        from text2image.encoders.device import pick_device

        return "gpu" if pick_device(self.params.runtime.device).type == "cuda" else "cpu"

    def _stored(self, determinants: dict[str, Any], key: str, query: str | ImageFile) -> Vectors:
        """Return a row from the store, or computed, and kept where the store may be written to."""
        with Store("embeddings", determinants) as store:
            matrix = Matrix([key])
            matrix.read(store)
            if matrix.absent():
                with self._lock:
                    row = [(key, self._embed(query).tobytes())]
                matrix.add(row)
                if store.writable:
                    store.put(row)
            return matrix.whole()

    def _embed(self, query: str | ImageFile) -> Vectors:
        import_for(self.card["name"])
        from text2image.encoders.embedding import embed_images, embed_texts
        from text2image.encoders.models.load import load_model

        runtime = self.params.runtime
        if self._model is None:
            say(f"loading {self.name} …")
            self._model = load_model(
                self.name, self.card, runtime.device, self.params.embed.precision, self._decode()
            )
        if isinstance(query, str):
            [(_, rows)] = embed_texts(self._model, [query], runtime)
        else:
            [(_, rows)] = embed_images(self._model, [query], runtime)
        return rows
