"""The gallery of images, searched by a text or by an image under one model.

Ranks and scores are those of ``data/runs``: the same vectors, the same arithmetic, the same tie rule; for a model of
``index.models``, what its index finds.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from stages.embed_queries import text_key
from text2image.artifacts import ARTIFACTS
from text2image.base.console import InputError, one_line, say
from text2image.base.store import Store
from text2image.collection.images import UnusableImage, decode, image_id, read_bytes
from text2image.collection.locations import location
from text2image.collection.manifest import ImageFile, read_manifest
from text2image.encoders.models import load_card
from text2image.encoders.vectors import gather, image_determinants, text_determinants
from text2image.formats.texts import normalise_text
from text2image.params import Params
from text2image.retrieval.index import Index
from text2image.retrieval.ranking import score_blocks, top_k

if TYPE_CHECKING:
    from text2image.encoders.models import EmbeddingModel

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]


class FoundImage(NamedTuple):
    """An image that was found; ``path`` is where it can be opened."""

    rank: int
    score: float
    image_id: str
    path: str


class Searcher:
    """The gallery under one model, which is loaded when the first text that is not known asks for it.

    Several threads may search at once; the model answers one after the other.

    Raises:
        InputError: the model is not in use, or the pipeline has not embedded the gallery with it.
    """

    def __init__(self, params: Params, model: str | None = None) -> None:
        self.params = params
        self.name = model or params.embed.models[0]
        if self.name not in params.embed.models:
            raise InputError(
                "expected a model of embed.models in params.yaml after --model "
                f"({', '.join(params.embed.models)}), found '{one_line(self.name)}'"
            )
        vectors, card = Path(f"data/embeddings/{self.name}/images.npy"), Path(f"data/models/{self.name}.json")
        for path in (ARTIFACTS.manifest, card, vectors):
            if not path.is_file():
                raise InputError(f"expected {path}, found no such file; run `dvc repro`")
        self._card = load_card(self.name)
        self.root = location(params.data.images)
        self._model: EmbeddingModel | None = None
        self._turn = threading.Lock()
        self.path_of: dict[str, str] = {}
        for entry in read_manifest(ARTIFACTS.manifest):  # as `gallery` does it, without the cost of its paths
            self.path_of.setdefault(entry.image_id, entry.path)
        self.image_ids = list(self.path_of)
        self._images = self._mapped(vectors)
        self._index: Index | None = None

    def _mapped(self, path: Path) -> Floats:
        try:
            images: Floats = np.load(path, mmap_mode="r")
        except (ValueError, EOFError) as error:
            raise InputError(
                f"expected a matrix in {path}, found: {one_line(error)}; run `dvc repro`"
            ) from None
        if images.ndim != 2 or len(images) != len(self.image_ids):
            raise InputError(
                f"expected {len(self.image_ids)} rows in {path}, one an image of {ARTIFACTS.manifest}, "
                f"found the shape {images.shape}; run `dvc repro`"
            )
        return images

    def search(self, query: str, k: int) -> list[FoundImage]:
        """Return the ``k`` best images for a text, or for the image at a path, best first.

        With an approximate index, what that finds.

        Raises:
            InputError: the query is blank, or a file that is not a usable image; or the index is not there.
        """
        if self.name in self.params.index.models and self._index is None:
            path = Path(f"data/index/{self.name}.faiss")
            self._index = Index.read(self.params.index.kind, path, len(self.image_ids))
        picture = image_path(query)
        vector = self._image_vector(picture) if picture else self._text_vector(query)
        if self._index is None:
            return self.best(self._scores(vector), k)
        wanted = max(k, self.params.retrieve.depth)  # as many as in data/runs, for a graph finds more then
        columns, scores = self._index.search(
            vector, self._images, wanted, threads=self.params.runtime.workers
        )
        return self._found(columns[0][columns[0] >= 0][:k], scores[0])

    def score_text(self, text: str) -> Floats:
        """Return the score of every image of the gallery for a text, whatever it looks like: ``(n_images,)``.

        Raises:
            InputError: the text is blank.
        """
        return self._scores(self._text_vector(text))

    def score_picture(self, path: Path) -> Floats:
        """Return the score of every image of the gallery for the image at a path: ``(n_images,)``.

        Raises:
            InputError: the file is not a usable image.
        """
        return self._scores(self._image_vector(path))

    def best(self, scores: Floats, k: int) -> list[FoundImage]:
        """Return the ``k`` images with the highest of the gallery's scores, best first."""
        columns = top_k(scores[None], k)[0]
        return self._found(columns, scores[columns])

    def _found(self, columns: Integers, scores: Floats) -> list[FoundImage]:
        """Return images of the gallery as results, given best first with their scores."""
        return [
            FoundImage(rank, float(f"{score:.9g}"), found, (self.root / self.path_of[found]).as_posix())
            for rank, (column, score) in enumerate(zip(columns, scores, strict=False), start=1)
            for found in (self.image_ids[column],)
        ]

    def _scores(self, vector: Floats) -> Floats:
        _, scores = next(score_blocks(vector, self._images))
        first: Floats = scores[0].copy()
        return first

    def _text_vector(self, query: str) -> Floats:
        """Return the text's row, ``(1, dim)``: from the store if it was ever embedded, else computed."""
        text = normalise_text(query)
        if not text:
            raise InputError("expected a text or the path of an image as query, found nothing visible")
        with Store("embeddings", text_determinants(self._card, self.params.embed.precision)) as store:
            if store.missing([text_key(text)]):
                from text2image.encoders.embedding import embed_texts

                with self._turn:
                    model = self._loaded()
                    device = next(model.network.parameters()).device
                    for _, rows in embed_texts(model, [text], device, self.params.runtime):
                        store.put([(text_key(text), rows[0].tobytes())])
            return gather(store, [text_key(text)])

    def _image_vector(self, path: Path) -> Floats:
        """Return the image's row, ``(1, dim)``: the gallery's if it is there, else computed."""
        try:
            content = read_bytes(path)
            decode(content, self.params.catalog.max_pixels)
        except UnusableImage as error:
            raise InputError(f"expected a usable image at {one_line(path)}, found: {error}") from None
        key = image_id(content)
        if key in self.path_of:
            row = self.image_ids.index(key)
            return self._images[row : row + 1]
        with Store("embeddings", image_determinants(self._card, self.params.embed.precision)) as store:
            if store.missing([key]):
                from text2image.encoders.embedding import embed_images

                with self._turn:
                    model = self._loaded()
                    device = next(model.network.parameters()).device
                    files = [ImageFile(key, path)]
                    for _, rows in embed_images(model, files, device, self.params.runtime):
                        store.put([(key, rows[0].tobytes())])
            return gather(store, [key])

    def _loaded(self) -> EmbeddingModel:
        if self._model is None:
            from text2image.encoders.device import pick_device
            from text2image.encoders.models import load_model

            say(f"loading {self.name} …")
            device = pick_device(self.params.runtime.device)
            self._model = load_model(self.name, self._card, device, self.params.embed.precision)
        return self._model


def image_path(query: str) -> Path | None:
    """Return the file that a query names by a path or a name with an extension; None for other texts."""
    path = Path(query)
    try:
        return path if (len(path.parts) > 1 or path.suffix) and path.is_file() else None
    except OSError:  # longer than a file's name may be, say
        return None
