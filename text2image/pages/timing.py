"""How long systems take on this machine: to prepare images, and for a query, as the search page answers it.

Models of ``embed.models`` compute the vector of each query anew; what a model of sentence-transformers reads comes from the
store. What is asked again of each image of a query, for the kind ``rerank``, is not measured: its answers are kept.
"""

from collections.abc import Mapping, Sequence
from math import ceil
from time import perf_counter

import numpy as np

from text2image.artifacts import ARTIFACTS
from text2image.base.arrays import Vectors
from text2image.base.console import InputError
from text2image.base.settings import Runtime
from text2image.collection.manifest import ImageFile
from text2image.encoders.models.load import EmbeddingModel
from text2image.encoders.throughput import PHRASES, QueryTime, Speed, milliseconds, query_time
from text2image.formats.fields import FieldText
from text2image.formats.trec import read_queries
from text2image.formats.views import ImageVectors
from text2image.labels.protocol.source import ComputedSource, FreeSource, LabelSource
from text2image.pages.search.answering import chosen_weights
from text2image.pages.search.encoder import QueryEncoder
from text2image.pages.search.gallery import Gallery, QueryInputs
from text2image.pages.search.searcher import Answer
from text2image.params import Params
from text2image.retrieval.systems.build import build
from text2image.retrieval.systems.settings import Rerank
from text2image.retrieval.systems.vision import VisionScorer

QUERIES = 50  # that are timed, spread over those of the pipeline
MANY = 20_000  # images, for the second size
FIRST = 10  # images of an answer
READ = 12  # images that are read to time a source, spread over the gallery


class ComputingEncoder(QueryEncoder):
    """A loaded model that computes every vector of a text anew."""

    def __init__(self, name: str, model: EmbeddingModel, params: Params) -> None:
        super().__init__(name, {}, params)
        self.loaded = model

    def encode_text(self, query: str) -> Vectors:
        """Return the text's row, ``(1, dim)``."""
        from text2image.encoders.embedding import embed_texts

        [(_, rows)] = embed_texts(self.loaded, [query], self.params.runtime)
        return rows


class RepeatedGallery(Gallery):
    """A gallery whose images all occur several times, to see how time grows.

    Args:
        gallery: the images.
        times: how often each occurs.
        models: what makes vectors of queries.
    """

    def __init__(self, gallery: Gallery, times: int, models: Mapping[str, EmbeddingModel]) -> None:
        super().__init__(gallery.params)
        self.original, self.times, self.models = gallery, times, models
        self.image_ids = gallery.image_ids * times

    def encoder(self, model: str) -> QueryEncoder:
        """Return what computes vectors of texts."""
        return ComputingEncoder(model, self.models[model], self.params)

    def image_vectors(self, model: str) -> ImageVectors:
        """Return the vectors of all images, as often as they occur, in memory."""
        columns = np.tile(np.arange(len(self.original.image_ids)), self.times)
        return self.once(("repeated", model), lambda: self.original.image_vectors(model).select(columns))

    def texts(self, field: str) -> list[list[FieldText]]:
        """Return the texts of all images, as often as they occur."""
        return self.original.texts(field) * self.times


def measure_queries(system: str, params: Params, models: Mapping[str, EmbeddingModel]) -> QueryTime | None:
    """Return how long a system takes for a query; None for one that asks another model about each image.

    Args:
        system: one of ``retrieve.systems`` or of ``embed.models``.
        params: of the run.
        models: of ``embed.models``, those that see or read for the system, loaded.

    Raises:
        InputError: the pipeline has not made what the system reads.
    """
    if any(isinstance(params.used[part], Rerank) for part in params.used.needed(system)):
        return None
    weights, gallery = chosen_weights(system, params), Gallery(params)
    queries, n_images = asked_texts(params), len(gallery.image_ids)

    def times(often: int) -> tuple[int, list[float]]:
        images = RepeatedGallery(gallery, often, models)

        def answer(query: str) -> object:
            scorer = build(system, params.used, QueryInputs(images, query, weights))
            return Answer(scorer, images.image_ids).best(FIRST)

        return n_images * often, milliseconds(answer, queries)

    devices = dict.fromkeys(next(model.network.parameters()).device.type for model in models.values())
    return query_time(system, " + ".join(devices) or "cpu", times(1), times(max(2, ceil(MANY / n_images))))


def measure_model_queries(
    name: str, model: EmbeddingModel, params: Params, n_images: int, vectors_per_image: float
) -> QueryTime:
    """Return how long a model alone takes for a query in ``n_images`` images, whose vectors are made up."""
    encoder, generator = ComputingEncoder(name, model, params), np.random.default_rng(0)
    dimension = encoder.encode_text(PHRASES[0]).shape[1]

    def times(n: int) -> tuple[int, list[float]]:
        rows = generator.standard_normal((round(n * vectors_per_image), dimension), dtype=np.float32)
        images = ImageVectors(rows / np.linalg.norm(rows, axis=1, keepdims=True))

        def answer(query: str) -> object:
            return Answer(VisionScorer(encoder.encode_text(query), images), [""] * len(rows)).best(FIRST)

        return n, milliseconds(answer, PHRASES[:QUERIES])

    device = next(model.network.parameters()).device.type
    return query_time(name, device, times(n_images), times(max(MANY, 2 * n_images)))


def asked_texts(params: Params) -> list[str]:
    """Return up to ``QUERIES`` texts, spread over those of all sources.

    Raises:
        InputError: there is none.
    """
    paths = [path for source in params.label.sources if (path := ARTIFACTS.queries(source)).is_file()]
    texts = [text for path in paths for text in read_queries(path).values()]
    if not texts:
        raise InputError("expected queries to time the systems by, found none; run `dvc repro`")
    return texts[:: max(1, len(texts) // QUERIES)][:QUERIES]


def measure_reading(
    field: str, source: LabelSource, images: Sequence[ImageFile], runtime: Runtime
) -> Speed | None:
    """Return how fast a label source reads images; None for a service, whose time is not that of this machine.

    Args:
        field: its name.
        source: set up by the parameters.
        images: of the gallery.
        runtime: of the run.
    """
    if isinstance(source, FreeSource):
        return Speed(field, "images", "cpu", "inf", "inf", "inf")
    if not isinstance(source, ComputedSource):
        return None
    source.determinants()
    ask = source.load(runtime)
    list(ask(images[:1]))  # a warm-up
    some = images[:: max(1, len(images) // READ)][:READ]
    rates = []
    for start in range(0, len(some), 4):
        before, part = perf_counter(), some[start : start + 4]
        done = len(list(ask(part)))
        rates.append(done / (perf_counter() - before))
    return Speed(
        field, "images", "cpu", *(f"{rate:.4g}" for rate in (np.median(rates), min(rates), max(rates)))
    )
