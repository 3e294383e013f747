"""A system of params.yaml made ready to score: its parts built, and given what they read."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol

from text2image.base.arrays import Integers, Vectors
from text2image.formats.fields import FieldText
from text2image.formats.views import ImageVectors
from text2image.retrieval.gallery import Ranking, rank_gallery
from text2image.retrieval.systems import settings
from text2image.retrieval.systems.fusion import Fusion, Weighting
from text2image.retrieval.systems.meaning import Meaning, MeaningIndex
from text2image.retrieval.systems.ranks import rank_scores
from text2image.retrieval.systems.rerank import Grade, Pairs, Rerank
from text2image.retrieval.systems.scorer import Scorer
from text2image.retrieval.systems.settings import Systems
from text2image.retrieval.systems.vision import VisionScorer
from text2image.retrieval.systems.words.search import Match, WordIndex, WordScorer


class SystemInputs(Protocol):
    """What systems read, for some queries and the images that are searched, both in their order."""

    @property
    def queries(self) -> Sequence[str]:
        """The texts of the queries."""

    @property
    def image_ids(self) -> Sequence[str]:
        """The images that are searched, sorted."""

    def query_vectors(self, model: str) -> Vectors:
        """Return the queries' vectors of one of ``embed.models``: ``(n_queries, dim)`` float32, unit rows."""

    def image_vectors(self, model: str) -> ImageVectors:
        """Return the vectors of the images and their views, perhaps memory-mapped."""

    def texts(self, field: str) -> list[list[FieldText]]:
        """Return the texts of each image in a field; none of some."""

    def word_index(self, fields: Sequence[str], match: Match) -> WordIndex:
        """Return the index of the images' texts in some fields; it depends on no query, so that a search keeps it."""

    def weighting(self, name: str, fusion: settings.Fusion, parts: Sequence[Scorer]) -> Weighting:
        """Return how the systems of a fusion are weighted.

        ``parts`` are its systems in the order of ``fusion.of``, built for the queries.
        """

    def query_meanings(self, name: str, system: settings.Meaning) -> Vectors:
        """Return the queries' vectors by a system's text encoder, ``(n_queries, dim)`` float32, unit rows or zero."""

    def meaning_index(self, name: str, system: settings.Meaning) -> MeaningIndex:
        """Return the vectors of the images' texts by the same encoder, which depend on no query."""

    def second_look(self, name: str, system: settings.Rerank) -> Callable[[Pairs], Sequence[Grade]]:
        """Return what grades pairs of queries and images for a system that reranks."""


def build(name: str, systems: Systems, inputs: SystemInputs) -> Scorer:
    """Return a system, built with all that it is made of, each once.

    Args:
        name: of the system, or of a model in use.
        systems: those that may be used.
        inputs: what they read.

    Raises:
        InputError: what a system reads cannot be had.
    """
    built: dict[str, Scorer] = {}
    for part in systems.needed(name):
        built[part] = _join(part, systems[part], inputs, built)
    return built[name]


def _join(name: str, system: settings.System, inputs: SystemInputs, built: Mapping[str, Scorer]) -> Scorer:
    """Return a system made of others that are ``built``."""
    if isinstance(system, settings.Vision):
        return VisionScorer(inputs.query_vectors(system.model), inputs.image_vectors(system.model))
    if isinstance(system, settings.Words):
        return WordScorer(inputs.queries, inputs.word_index(system.fields, system.match))
    if isinstance(system, settings.Fusion):
        parts = [built[part] for part in system.of]
        return Fusion(system.of, parts, inputs.weighting(name, system, parts), system.method)
    if isinstance(system, settings.Meaning):
        return Meaning(inputs.query_meanings(name, system), inputs.meaning_index(name, system))
    return Rerank(built[system.of], system.depth, inputs.second_look(name, system))


def rank_system(
    scorer: Scorer, rows: Integers, columns: Integers, k: int, *, threads: int | None = None
) -> Iterator[Ranking]:
    """Yield, query by query in order, the best images of a system and the exact rank of each pair.

    The arguments are those of :func:`text2image.retrieval.systems.ranks.rank_scores`; a model alone is ranked faster.
    """
    if isinstance(scorer, VisionScorer):
        images, starts = scorer.images.vectors, scorer.images.starts
        return rank_gallery(scorer.queries, images, rows, columns, k, starts=starts, threads=threads)
    return rank_scores(scorer, rows, columns, k, threads=threads)
