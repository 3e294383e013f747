"""The images that are searched, and what systems read of them: each once, when it is first asked for."""

import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from text2image.artifacts import ARTIFACTS, existing
from text2image.base.arrays import Vectors
from text2image.base.console import InputError, say
from text2image.collection.images import identify
from text2image.collection.manifest import ImageFile, read_gallery
from text2image.encoders.vectors import load_card
from text2image.formats.fields import FieldText, read_fields, texts_of_images
from text2image.formats.texts import normalise_text
from text2image.formats.views import ImageVectors, read_image_vectors
from text2image.lockfile.checks import check_current
from text2image.pages.search.encoder import QueryEncoder
from text2image.params import Params
from text2image.retrieval.systems.fusion import Weighting, measure_units, read_weighting, same_weights
from text2image.retrieval.systems.meaning import MeaningIndex
from text2image.retrieval.systems.readers import Readers
from text2image.retrieval.systems.rerank import Grade, Pairs
from text2image.retrieval.systems.scorer import Scorer
from text2image.retrieval.systems.settings import OPENAI, Fusion, Meaning, Rerank
from text2image.retrieval.systems.words.search import Match, WordIndex

Made = TypeVar("Made")


class Gallery:
    """The whole gallery of the present manifest; several threads may ask at once.

    Args:
        params: of the run.

    Raises:
        InputError: the pipeline has not run.
    """

    def __init__(self, params: Params) -> None:
        self.params = params
        images = read_gallery(existing(ARTIFACTS.manifest), params.data.images)
        self._images = {image.image_id: image for image in images}
        self.image_ids = list(self._images)
        self._lock = threading.RLock()
        self._kept: dict[tuple[object, ...], Any] = {}

    def __contains__(self, image_id: str) -> bool:
        return image_id in self._images

    def image(self, image_id: str) -> ImageFile:
        """Return an image of the gallery.

        Raises:
            KeyError: it is not in the gallery.
        """
        return self._images[image_id]

    def once(self, key: tuple[object, ...], make: Callable[[], Made]) -> Made:
        """Return what ``make`` gave for a key when it was first asked for it."""
        with self._lock:
            if key not in self._kept:
                self._kept[key] = make()
            kept: Made = self._kept[key]
            return kept

    def encoder(self, model: str) -> QueryEncoder:
        """Return what makes vectors of queries with one of ``embed.models``."""
        return self.once(
            ("encoder", model),
            lambda: QueryEncoder(model, load_card(existing(ARTIFACTS.card(model))), self.params),
        )

    def image_vectors(self, model: str) -> ImageVectors:
        """Return the vectors of the images and their views of one of ``embed.models``, memory-mapped.

        Raises:
            InputError: the pipeline has not embedded the present gallery with it.
        """

        def read() -> ImageVectors:
            path = existing(ARTIFACTS.image_vectors(model))
            check_current(ARTIFACTS.manifest, path)
            return read_image_vectors(path, ARTIFACTS.views(model), self.image_ids)

        return self.once(("vectors", model), read)

    def texts(self, field: str) -> list[list[FieldText]]:
        """Return the texts of each image in a field.

        Raises:
            InputError: the pipeline has not made the field of the present gallery.
        """

        def read() -> list[list[FieldText]]:
            path = existing(ARTIFACTS.field(field))
            check_current(path)
            return texts_of_images(read_fields(path), self.image_ids)

        return self.once(("texts", field), read)

    def readers(self, name: str) -> Readers:
        """Return the models that a part of a system in use has read texts and look at pictures.

        Raises:
            InputError: the pipeline has not said what the system is made of.
        """
        params = self.params
        using = next(one for one in params.retrieve.systems if name in params.used.needed(one))
        cards = load_card(existing(ARTIFACTS.system(using)))["text_models"]
        return Readers(
            cards, params.embed.precision, params.runtime, params.label.openai, params.judge.prompt
        )


class QueryInputs:
    """What systems read to answer one query in the gallery (:class:`text2image.retrieval.systems.build.SystemInputs`).

    Args:
        gallery: the images.
        query: a text; or the path of an image, which is encoded in a text's place.
        weights: of :func:`text2image.pages.search.answering.chosen_weights`.

    Raises:
        InputError: the text is blank.
    """

    def __init__(self, gallery: Gallery, query: str | Path, weights: Mapping[str, Mapping[str, Any]]) -> None:
        self.gallery, self.query, self.weights = gallery, query, weights
        self.queries = [normalise_text(query) if isinstance(query, str) else ""]
        self.image_ids = gallery.image_ids
        if isinstance(query, str) and not self.queries[0]:
            raise InputError("expected a text or the path of an image as query, found nothing visible")

    def query_vectors(self, model: str) -> Vectors:
        """Return the query's row, ``(1, dim)``: the gallery's if the image is there, else as the model encodes it.

        Of an image with a vector for each of several views it is that of the whole.

        Raises:
            InputError: the file is not a usable image.
        """
        encoder = self.gallery.encoder(model)
        if isinstance(self.query, str):
            return encoder.encode_text(self.queries[0])
        image = identify(self.query, self.gallery.params.catalog.max_pixels)
        if image.image_id in self.gallery:
            column = self.image_ids.index(image.image_id)
            return self.image_vectors(model).select(np.array([column])).first()
        return encoder.encode_picture(image)

    def image_vectors(self, model: str) -> ImageVectors:
        """Return the vectors of the images and their views of one of ``embed.models``."""
        return self.gallery.image_vectors(model)

    def texts(self, field: str) -> list[list[FieldText]]:
        """Return the texts of each image in a field."""
        return self.gallery.texts(field)

    def word_index(self, fields: Sequence[str], match: Match) -> WordIndex:
        """Return the index of the texts of the gallery, which is made once."""

        def make() -> WordIndex:
            return WordIndex({field: self.texts(field) for field in fields}, match)

        return self.gallery.once(("words", *fields, match), make)

    def weighting(self, name: str, fusion: Fusion, parts: Sequence[Scorer]) -> Weighting:
        """Return the weights that were chosen before, and the units that scores of texts were measured in.

        Pictures are nearer to pictures than texts are: the scores of one are measured in their own units.
        """
        if isinstance(self.query, str):
            return read_weighting(self.weights[name], fusion.of, 1)
        given = self.weights[name]["weights"] if fusion.weights == "tuned" else fusion.weights
        return Weighting(same_weights(given, fusion.of, 1), measure_units(parts, fusion.method))

    def query_meanings(self, name: str, system: Meaning) -> Vectors:
        """Return the query's vector by a system's text encoder."""
        if system.model in self.gallery.params.embed.models:
            return self.gallery.encoder(system.model).encode_text(self.queries[0])
        return self.gallery.readers(name).encode(name, system, self.queries, "query")

    def meaning_index(self, name: str, system: Meaning) -> MeaningIndex:
        """Return the vectors of the gallery's texts, which are looked up once."""
        return self.gallery.once(
            ("meaning", *system.fields, system.model),
            lambda: self.gallery.readers(name).meaning_index(name, system, self.texts),
        )

    def second_look(self, name: str, system: Rerank) -> Callable[[Pairs], Sequence[Grade]]:
        """Return what grades images for the query; one that is paid for says first what that will cost."""
        readers, title = self.gallery.readers(name), f"rerank {name}"

        def images() -> list[ImageFile]:
            return [self.gallery.image(image_id) for image_id in self.image_ids]

        if system.by != OPENAI:
            return readers.second_look(name, system, title, self.queries, images, self.texts)
        grader = readers.vision_grader(name, system, title, self.queries, images)

        def say_and_grade(pairs: Pairs) -> list[Grade]:
            say(grader.estimate(pairs))
            return grader.grade(pairs)

        return say_and_grade
