"""The gallery of images, searched by a text or by an image under one model.

Ranks and scores are those of ``data/runs``: the same vectors, the same arithmetic, the same tie rule; for a model of
``index.models``, what its index finds.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from text2image.artifacts import ARTIFACTS, existing
from text2image.base.arrays import Integers, Vectors
from text2image.base.console import InputError, one_line
from text2image.collection.images import identify
from text2image.collection.locations import location
from text2image.collection.manifest import ImageFile, ManifestEntry, read_manifest
from text2image.encoders.vectors import load_card
from text2image.lockfile.checks import check_current
from text2image.pages.search.encoder import QueryEncoder
from text2image.params import Params
from text2image.retrieval.index import Index
from text2image.retrieval.ranking import score_blocks, top_k


class RankedImage(NamedTuple):
    """Where an image stands in the whole gallery."""

    rank: int
    score: float
    image_id: str


class Searcher:
    """The gallery under one model; several threads may search at once.

    Args:
        params: of the run.
        model: one of ``embed.models``; None for the first.

    Raises:
        InputError: the model is not in use, or the pipeline has not embedded the present gallery with it.
    """

    def __init__(self, params: Params, model: str | None = None) -> None:
        self.params = params
        self.name = model or params.embed.models[0]
        if self.name not in params.embed.models:
            raise InputError(
                "expected a model of embed.models in params.yaml after --model "
                f"({', '.join(params.embed.models)}), found '{one_line(self.name)}'"
            )
        files = ARTIFACTS.manifest, ARTIFACTS.card(self.name), ARTIFACTS.image_vectors(self.name)
        manifest, card, vectors = map(existing, files)
        check_current(manifest, vectors)
        self._encoder = QueryEncoder(self.name, load_card(card), params)
        self.root = location(params.data.images)
        self._entries: dict[str, ManifestEntry] = {}
        for entry in read_manifest(manifest):  # as `gallery` does it, without the cost of its paths
            self._entries.setdefault(entry.image_id, entry)
        self.image_ids = list(self._entries)
        self._images = self._read_vectors(vectors)
        self._index: Index | None = None

    def image(self, image_id: str) -> ImageFile:
        """Return an image of the gallery.

        Raises:
            KeyError: it is not in the gallery.
        """
        entry = self._entries[image_id]
        return ImageFile(image_id, self.root / entry.path, entry.rendering)

    def _read_vectors(self, path: Path) -> Vectors:
        try:
            images: Vectors = np.load(path, mmap_mode="r")
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

    def search(self, query: str, k: int) -> list[RankedImage]:
        """Return the ``k`` best images for a text, or for the image at a path, best first.

        With an approximate index, what that finds.

        Raises:
            InputError: the query is blank, or a file that is not a usable image; or the index is not there.
        """
        asked = image_path(query) or query
        if self.name not in self.params.index.models:
            return self.best(self.scores(asked), k)
        if self._index is None:
            path = ARTIFACTS.index(self.name)
            self._index = Index.read(self.params.index.kind, path, len(self.image_ids))
        wanted = max(k, self.params.retrieve.depth)  # as many as in data/runs, for a graph finds more then
        columns, scores = self._index.search(
            self._vector(asked), self._images, wanted, threads=self.params.runtime.workers
        )
        return self._ranked(columns[0][columns[0] >= 0][:k], scores[0])

    def scores(self, query: str | Path) -> Vectors:
        """Return every image's score for a text, or for the image at a path: ``(n_images,)``.

        Raises:
            InputError: the text is blank, or the file is not a usable image.
        """
        _, scores = next(score_blocks(self._vector(query), self._images))
        first: Vectors = scores[0].copy()
        return first

    def best(self, scores: Vectors, k: int) -> list[RankedImage]:
        """Return the ``k`` images with the highest of the gallery's scores, best first."""
        columns = top_k(scores[None], k)[0]
        return self._ranked(columns, scores[columns])

    def _ranked(self, columns: Integers, scores: Vectors) -> list[RankedImage]:
        """Return images of the gallery as results, given best first with their scores."""
        return [
            RankedImage(rank, float(f"{score:.9g}"), self.image_ids[column])
            for rank, (column, score) in enumerate(zip(columns, scores, strict=False), start=1)
        ]

    def _vector(self, query: str | Path) -> Vectors:
        """Return the query's row, ``(1, dim)``: the gallery's if the image is there, else as the model encodes it."""
        if isinstance(query, str):
            return self._encoder.encode_text(query)
        image = identify(query, self.params.catalog.max_pixels)
        if image.image_id in self._entries:
            row = self.image_ids.index(image.image_id)
            return self._images[row : row + 1]
        return self._encoder.encode_picture(image)


def image_path(query: str) -> Path | None:
    """Return the file that a query names by a path or a name with an extension; None for other texts."""
    path = Path(query)
    try:
        return path if (len(path.parts) > 1 or path.suffix) and path.is_file() else None
    except OSError:  # longer than a file's name may be, say
        return None
