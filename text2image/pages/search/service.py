"""Answers the page: searches under one or two models, explains the results, and keeps judgements."""

import base64
import json
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from text2image.artifacts import ARTIFACTS, existing
from text2image.base.arrays import Vectors
from text2image.base.console import InputError
from text2image.collection.images import UnusableImage, decode
from text2image.encoders.vectors import load_card
from text2image.formats.origins import circular_pairs, read_origins
from text2image.formats.texts import normalise_text
from text2image.labels.openai.encode import jpeg
from text2image.lockfile.checks import Outdated
from text2image.pages.search.annotations import (
    SEARCH,
    Annotations,
    SourceQuery,
    judgements_of,
    new_judgements,
)
from text2image.pages.search.explanation import Explainer, ModelResults
from text2image.pages.search.pictures import LARGE, SMALL
from text2image.pages.search.searcher import Searcher
from text2image.pages.templates import TEMPLATES
from text2image.params import Params
from text2image.queries.judgements import append_judgements, read_if_any
from text2image.queries.judging.session import GRADES
from text2image.retrieval.scores import sort_keys

TEXT_CHARACTERS = 500
PREVIEW_SIDE = 160  # pixels

VIEW: Any = TEMPLATES.get_template(
    "search/view.html.jinja", globals={"grades": GRADES, "unasked": SEARCH, "small": SMALL, "large": LARGE}
).module
"""The parts of the page, a macro each."""


class SearchResponse(NamedTuple):
    """The results under each model, and what is known of the query.

    Attributes:
        text: the text, normalised; "" for a picture.
        preview: the picture searched for, as a data URL; "" for a text.
        queries: the label sources' queries that the text is.
        models: the results, one model after the other.
    """

    text: str
    preview: str
    queries: list[SourceQuery]
    models: list[ModelResults]


def label_findings(circular: Mapping[tuple[str, str], str], why_outdated: Callable[[Path], str]) -> list[str]:
    """Return what is weak about the labels as a test, a sentence each: queries of a source, and circular pairs.

    Args:
        circular: why pairs ``(model, source)`` are circular.
        why_outdated: why a file is out of date, "" if it is not; findings of metrics/sources.json are then held back.
    """
    path = ARTIFACTS.metrics("sources")
    current = path.is_file() and not why_outdated(path)
    about = json.loads(path.read_text(encoding="utf-8"))["sources"] if current else {}
    weak = [f"{source}: {finding}" for source, row in about.items() for finding in row["findings"]]
    return weak + [f"{source} does not test {model}: {why}" for (model, source), why in circular.items()]


class SearchService:
    """The gallery as it was when the page was started; several threads may ask at once.

    Args:
        params: of the run.
        by: the name under which judgements are kept.

    Raises:
        InputError: the pipeline has not run.
    """

    def __init__(self, params: Params, by: str) -> None:
        self.params, self.by = params, by
        self._lock = threading.Lock()
        self._searchers: dict[str, Searcher] = {}
        first = self.searcher(params.embed.models[0])
        self.annotations = Annotations(params.label.sources)
        self.files = {image_id: first.image(image_id) for image_id in first.image_ids}
        cards = {model: ARTIFACTS.card(model) for model in params.embed.models}
        self.circular = circular_pairs(
            {model: load_card(card).get("origins", {}) for model, card in cards.items() if card.is_file()},
            {source: read_origins(existing(ARTIFACTS.origins(source))) for source in params.label.sources},
        )
        outdated = Outdated(apart_from=[ARTIFACTS.judgements])
        self.outdated = outdated.sentences()
        self.findings = label_findings(self.circular, outdated.why)

    def searcher(self, model: str) -> Searcher:
        """Return the searcher of one of ``embed.models``, made when it is first asked for.

        Raises:
            InputError: the gallery is not embedded with it.
        """
        with self._lock:
            if model not in self._searchers:
                self._searchers[model] = Searcher(self.params, model)
            return self._searchers[model]

    def search(self, query: str | bytes, models: Sequence[str], wanted: int) -> SearchResponse:
        """Search and explain.

        Args:
            query: a text, or a picture's bytes.
            models: under which to search.
            wanted: how many images of each.

        Raises:
            InputError: there is nothing to search for.
        """
        text = normalise_text(query) if isinstance(query, str) else ""
        if len(text) > TEXT_CHARACTERS:
            raise InputError(f"expected a text of at most {TEXT_CHARACTERS} characters, found {len(text):,}")
        queries = self.annotations.queries_of(text) if text else []
        judgements = judgements_of(text, read_if_any(ARTIFACTS.judgements)) if text else {}
        scores = {model: self._scores(model, query) for model in models}
        image_ids = self.searcher(models[0]).image_ids
        keys = {model: sort_keys(line, np.arange(len(line))) for model, line in scores.items()}
        explainer = Explainer(self.annotations, queries, judgements, image_ids, keys, self.circular)
        results = [
            explainer.explain(model, self.searcher(model).best(scores[model], wanted)) for model in models
        ]
        preview = "" if isinstance(query, str) else self._preview(query)
        return SearchResponse(text, preview, queries, results)

    def _scores(self, model: str, query: str | bytes) -> Vectors:
        if isinstance(query, str):
            return self.searcher(model).scores(query)
        with tempfile.NamedTemporaryFile() as file:
            file.write(query)
            file.flush()
            return self.searcher(model).scores(Path(file.name))

    def _preview(self, picture: bytes) -> str:
        small = jpeg(decode(picture, self.params.catalog.max_pixels), PREVIEW_SIDE)
        return f"data:image/jpeg;base64,{base64.b64encode(small).decode()}"

    def check_picture(self, content: bytes) -> str | None:
        """Say why a picture cannot be searched for; None if it can."""
        try:
            decode(content, self.params.catalog.max_pixels)
        except UnusableImage as error:
            return str(error)
        return None

    def judge(self, text: str, image_id: str, grade: int) -> list[str]:
        """Keep a grade of an image for a text, and return the sources under which it is kept.

        Raises:
            InputError: no text, an image that is not in the gallery, no such grade, or a file that
                does not hold judgements.
        """
        text = normalise_text(text)
        if not text or len(text) > TEXT_CHARACTERS or image_id not in self.files or grade not in GRADES:
            raise InputError("expected a text, an image of the gallery and a grade of 0 to 3")
        rows = new_judgements(text, image_id, grade, self.by, self.annotations.queries_of(text))
        append_judgements(rows, ARTIFACTS.judgements)
        return [row.source for row in rows]
