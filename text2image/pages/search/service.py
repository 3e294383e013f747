"""Answers the page: searches under one or two systems, explains the results, and keeps judgements."""

import base64
import hashlib
import json
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from text2image.artifacts import ARTIFACTS
from text2image.base.console import InputError, one_line
from text2image.collection.images import UnusableImage, decode
from text2image.formats.texts import normalise_text
from text2image.labels.openai.encode import jpeg
from text2image.lockfile.checks import Outdated
from text2image.pages.decoding import BUDGET, content_of, pixels_of
from text2image.pages.search.annotations import (
    SEARCH,
    Annotations,
    SourceQuery,
    judgements_of,
    new_judgements,
)
from text2image.pages.search.answering import circular_with
from text2image.pages.search.explanation import Explainer, RankedGroup, SystemResults
from text2image.pages.search.gallery import Gallery
from text2image.pages.search.pictures import LARGE, SMALL
from text2image.pages.search.searcher import Answer, Searcher
from text2image.pages.search.why import LISTED, pieces
from text2image.pages.templates import TEMPLATES
from text2image.params import Params
from text2image.queries.judgements import append_judgements, read_if_any
from text2image.queries.judging.session import GRADES
from text2image.retrieval.scores import sort_keys

TEXT_CHARACTERS = 500
PREVIEW_SIDE = 160  # pixels
MOST_PIXELS = 32_000_000  # of a picture that is searched for: one takes 20 bytes a pixel and more on its way to a vector
PREVIEWS = 64  # that are kept, of some 5 KB each

VIEW: Any = TEMPLATES.get_template(
    "search/view.html.jinja",
    globals={
        "grades": GRADES,
        "unasked": SEARCH,
        "small": SMALL,
        "large": LARGE,
        "pieces": pieces,
        "listed": LISTED,
        "one_line": one_line,
    },
).module
"""The parts of the page, a macro each."""


class SearchResponse(NamedTuple):
    """The results under each system, and what is known of the query.

    Attributes:
        text: the text, normalised; "" for a picture.
        preview: the picture searched for, as a data URL; "" for a text.
        queries: the label sources' queries that the text is.
        systems: the results, one system after the other.
    """

    text: str
    preview: str
    queries: list[SourceQuery]
    systems: list[SystemResults]


def label_findings(circular: Mapping[tuple[str, str], str], why_outdated: Callable[[Path], str]) -> list[str]:
    """Return what is weak about the labels as a test, a sentence each: queries of a source, and circular pairs.

    Args:
        circular: why pairs ``(system, source)`` are circular.
        why_outdated: why a file is out of date, "" if it is not; findings of metrics/sources.json are then held back.
    """
    path = ARTIFACTS.metrics("sources")
    current = path.is_file() and not why_outdated(path)
    about = json.loads(path.read_text(encoding="utf-8"))["sources"] if current else {}
    weak = [f"{source}: {finding}" for source, row in about.items() for finding in row["findings"]]
    return weak + [f"{source} does not test {system}: {why}" for (system, source), why in circular.items()]


class SearchService:
    """The gallery as it was when the page was started; several threads may ask at once.

    Args:
        params: of the run.
        by: the name under which judgements are kept.
        may_pay: whether searches may ask a service that costs money.

    Raises:
        InputError: the pipeline has not run.
    """

    def __init__(self, params: Params, by: str, *, may_pay: bool = False) -> None:
        self.params, self.by, self.may_pay = params, by, may_pay
        self.systems = params.retrieve.systems
        self._lock = threading.Lock()
        self._searchers: dict[str, Searcher] = {}
        self._previews: dict[bytes, str] = {}
        self.gallery = Gallery(params)
        self.searcher(self.systems[0])
        self.annotations = Annotations(params.label.sources)
        self.files = {image_id: self.gallery.image(image_id) for image_id in self.gallery.image_ids}
        self.circular = circular_with(self.systems, params)
        outdated = Outdated(apart_from=[ARTIFACTS.judgements])
        self.outdated = outdated.sentences()
        self.findings = label_findings(self.circular, outdated.why)

    def at_first(self) -> tuple[str, str]:
        """Return the system that a page begins with, and the one beside it, "" for none: opening a page is to cost nothing.

        Only where all systems ask a paid service, the page begins with one of them.
        """
        free = [system for system in self.systems if not self.params.used.paid(system)]
        shown, beside, *_ = [*(free or self.systems[:1]), "", ""]
        return shown, beside

    def searcher(self, system: str) -> Searcher:
        """Return the searcher of one of ``retrieve.systems``, made when it is first asked for.

        Raises:
            InputError: what it reads of the gallery is not made.
        """
        with self._lock:
            if system not in self._searchers:
                self._searchers[system] = Searcher(self.params, system, self.gallery)
            return self._searchers[system]

    def search(self, query: str | bytes, systems: Sequence[str], wanted: int) -> SearchResponse:
        """Search and explain.

        Args:
            query: a text, or a picture's bytes.
            systems: under which to search.
            wanted: how many images of each.

        Raises:
            InputError: there is nothing to search for, or a system cannot answer.
        """
        text = normalise_text(query) if isinstance(query, str) else ""
        if len(text) > TEXT_CHARACTERS:
            raise InputError(f"expected a text of at most {TEXT_CHARACTERS} characters, found {len(text):,}")
        queries = self.annotations.queries_of(text) if text else []
        judgements = judgements_of(text, read_if_any(ARTIFACTS.judgements)) if text else {}
        answers, refusals = self._answers(query, systems)
        image_ids = self.gallery.image_ids
        keys = {
            system: sort_keys(answer.scores, np.arange(len(image_ids))) for system, answer in answers.items()
        }
        explainer = Explainer(self.annotations, queries, judgements, image_ids, keys, self.circular)
        results = []
        for system in systems:
            if system in refusals:
                results.append(SystemResults(system, [], RankedGroup([], 0), [], refusals[system]))
                continue
            results.append(explainer.explain(system, answers[system].best(wanted)))
        preview = "" if isinstance(query, str) else self._preview(query)
        return SearchResponse(text, preview, queries, results)

    def _answers(
        self, query: str | bytes, systems: Sequence[str]
    ) -> tuple[dict[str, Answer], dict[str, str]]:
        """Return the systems' answers, and why others have none; an InputError if none has."""
        answers: dict[str, Answer] = {}
        refusals: dict[str, str] = {}
        for system in systems:
            try:
                answers[system] = self._answer(system, query)
            except InputError as error:
                refusals[system] = str(error)
        if not answers:
            raise InputError("; ".join(dict.fromkeys(refusals.values())))
        return answers, refusals

    def _answer(self, system: str, query: str | bytes) -> Answer:
        if isinstance(query, str):
            if (paid := self.params.used.paid(system)) and not self.may_pay:
                raise InputError(
                    f"'{system}' asks a paid vision model about every new query, which this page may not: "
                    f"`t2i app --paid` starts one that may, up to systems.{next(iter(paid))}.budget_usd for each query"
                )
            return self.searcher(system).ask(query)
        with tempfile.NamedTemporaryFile() as file, BUDGET.take(pixels_of(query)):
            file.write(query)
            file.flush()
            return self.searcher(system).ask(Path(file.name))

    def _preview(self, picture: bytes) -> str:
        """Return a picture small, as a data URL: made when the picture was checked, if that is not long ago."""
        key = hashlib.sha256(picture).digest()
        if (known := self._previews.get(key)) is not None:
            return known
        with BUDGET.take(pixels_of(picture)):
            small = jpeg(decode(picture, self.params.catalog.max_pixels), PREVIEW_SIDE)
        preview = f"data:image/jpeg;base64,{base64.b64encode(small).decode()}"
        with self._lock:
            self._previews[key] = preview
            while len(self._previews) > PREVIEWS:
                del self._previews[next(iter(self._previews))]
        return preview

    def check_picture(self, content: bytes) -> str | None:
        """Say why a picture cannot be searched for; None if it can."""
        if pixels_of(content) > min(MOST_PIXELS, self.params.catalog.max_pixels):
            return f"more than {min(MOST_PIXELS, self.params.catalog.max_pixels) / 1e6:g} megapixels (scale it down)"
        try:
            self._preview(content)
        except UnusableImage as error:
            return str(error)
        return None

    def judge(self, text: str, image_id: str, grade: int) -> list[str]:
        """Keep a grade of an image for a text, and return the sources under which it is kept.

        Raises:
            InputError: no text, an image that is not in the gallery or whose file changed since the catalog was made, no
                such grade, or a file that does not hold judgements.
        """
        text = normalise_text(text)
        whole = type(grade) is int and grade in GRADES  # True is 1 to Python, and 1.0 too
        if not text or len(text) > TEXT_CHARACTERS or image_id not in self.files or not whole:
            raise InputError("expected a text, an image of the gallery and a grade of 0 to 3")
        with content_of(self.files[image_id]):
            pass
        rows = new_judgements(text, image_id, grade, self.by, self.annotations.queries_of(text))
        append_judgements(rows, ARTIFACTS.judgements)
        return [row.source for row in rows]
