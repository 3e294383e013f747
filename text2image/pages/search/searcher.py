"""The gallery of images, searched by a text or by an image under one system.

Ranks and scores are those of ``data/runs``: the same inputs, the same arithmetic, the same tie rule; for a model of
``index.models``, what its index finds. Weights of a fusion that are tuned are those chosen on all queries of a source,
where a run has, for each query, those that were chosen without it.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from text2image.artifacts import ARTIFACTS
from text2image.base.arrays import Integers, Vectors
from text2image.base.console import InputError, one_line
from text2image.collection.manifest import ImageFile
from text2image.pages.search.answering import chosen_weights, seeing
from text2image.pages.search.gallery import Gallery, QueryInputs
from text2image.params import Params
from text2image.retrieval.index import Index
from text2image.retrieval.ranking import top_k
from text2image.retrieval.systems.build import build
from text2image.retrieval.systems.scorer import Scorer, Why
from text2image.retrieval.systems.settings import Fusion, Vision
from text2image.retrieval.systems.vision import VisionScorer


class RankedImage(NamedTuple):
    """Where an image stands in the whole gallery."""

    rank: int
    score: float
    image_id: str


class Found(NamedTuple):
    """The best images for a query, best first, why each is there, and what else is to be known; "" for nothing."""

    results: list[RankedImage]
    reasons: list[Why]
    note: str = ""


class Answer:
    """How a system answers one query.

    Attributes:
        scores: every image's, ``(n_images,)`` float32.
        note: what answered in the system's place; "" if itself did.
    """

    def __init__(self, scorer: Scorer, image_ids: Sequence[str], note: str = "") -> None:
        self._scorer, self._image_ids, self.note = scorer, image_ids, note
        self.scores: Vectors = scorer.scores(slice(0, 1))[0]

    def best(self, k: int) -> Found:
        """Return the ``k`` images with the highest scores."""
        columns = top_k(self.scores[None], k)[0]
        results = ranked(columns, self.scores[columns], self._image_ids)
        return Found(results, self._scorer.explain(0, columns.tolist()), self.note)


class Searcher:
    """The gallery under one system; several threads may search at once.

    Args:
        params: of the run.
        system: one of ``retrieve.systems`` or of ``embed.models``; None for the first.
        gallery: the images, where several systems share them.

    Raises:
        InputError: the system is not in use, or the pipeline has not made what it reads of the present gallery.
    """

    def __init__(self, params: Params, system: str | None = None, gallery: Gallery | None = None) -> None:
        self.params = params
        self.name = system or params.retrieve.systems[0]
        known = list(dict.fromkeys([*params.retrieve.systems, *params.embed.models]))
        if self.name not in known:
            raise InputError(
                "expected a system of retrieve.systems or a model of embed.models in params.yaml after --system "
                f"({', '.join(known)}), found '{one_line(self.name)}'"
            )
        self.gallery = gallery or Gallery(params)
        self.image_ids = self.gallery.image_ids
        self._index: Index | None = None
        systems = params.used
        for model in systems.models(self.name):
            self.gallery.encoder(model)
            self.gallery.image_vectors(model)
        for field in systems.fields(self.name):
            self.gallery.texts(field)
        self._weights = chosen_weights(self.name, params)

    def image(self, image_id: str) -> ImageFile:
        """Return an image of the gallery.

        Raises:
            KeyError: it is not in the gallery.
        """
        return self.gallery.image(image_id)

    def search(self, query: str, k: int) -> Found:
        """Return the ``k`` best images for a text, or for the image at a path.

        With an approximate index, what that finds.

        Raises:
            InputError: the query is blank, or a file that is not a usable image; or the index is not there.
        """
        asked = image_path(query) or query
        if self.name not in self.params.index.models:
            return self.ask(asked).best(k)
        if self._index is None:
            path = ARTIFACTS.index(self.name)
            n_vectors = len(self.gallery.image_vectors(self.name).vectors)
            self._index = Index.read(self.params.index.kind, path, n_vectors)
        wanted = max(k, self.params.retrieve.depth)  # as many as in data/runs, for a graph finds more then
        inputs = QueryInputs(self.gallery, asked, self._weights)
        scorer = VisionScorer(inputs.query_vectors(self.name), inputs.image_vectors(self.name))
        threads = self.params.runtime.workers
        columns, scores = self._index.search(scorer.queries, scorer.images, wanted, threads=threads)
        found = columns[0][columns[0] >= 0][:k]
        return Found(ranked(found, scores[0], self.image_ids), scorer.explain(0, found.tolist()))

    def ask(self, query: str | Path) -> Answer:
        """Return how the system answers a text, or the image at a path.

        Raises:
            InputError: the text is blank, the file is not a usable image, or the system reads words alone.
        """
        inputs, systems = QueryInputs(self.gallery, query, self._weights), self.params.used
        if isinstance(query, str):
            return Answer(build(self.name, systems, inputs), self.image_ids)
        needs_text = any(not isinstance(systems[part], Vision | Fusion) for part in systems.needed(self.name))
        systems, name, parts = seeing(self.name, self.params, self._weights)
        note = f"A picture has no words: answered by {' and '.join(parts)}." if needs_text else ""
        return Answer(build(name, systems, inputs), self.image_ids, note)


def ranked(columns: Integers, scores: Vectors, image_ids: Sequence[str]) -> list[RankedImage]:
    """Return images of the gallery as results, given best first with their scores."""
    return [
        RankedImage(rank, float(f"{score:.9g}"), image_ids[column])
        for rank, (column, score) in enumerate(zip(columns, scores, strict=False), start=1)
    ]


def image_path(query: str) -> Path | None:
    """Return the file that a query names by a path or a name with an extension; None for other texts."""
    path = Path(query)
    try:
        return path if (len(path.parts) > 1 or path.suffix) and path.is_file() else None
    except OSError:  # longer than a file's name may be, say
        return None
