"""Answers the page's questions: searches under one or two models, explains, and keeps judgements."""

from __future__ import annotations

import base64
import tempfile
import threading
from pathlib import Path
from typing import NamedTuple

from text2image.base.console import InputError
from text2image.collection.images import UnusableImage, decode
from text2image.formats.texts import normalise_text
from text2image.labels.openai.encode import jpeg
from text2image.pages.search.known import Asked, Known, judgements_of, new_rows
from text2image.pages.search.searcher import Searcher
from text2image.pages.search.why import Floats, Ranking, Spot, explain
from text2image.params import Params
from text2image.queries.judgements import append_judgements, read_if_any
from text2image.queries.judging.session import GRADES

TEXT_CHARACTERS = 500
PREVIEW_SIDE = 160  # pixels


class Question(NamedTuple):
    """What is searched for: a text, or a picture's bytes; under which models, and how many images of each."""

    text: str
    picture: bytes | None
    models: tuple[str, ...]
    wanted: int


class Answer(NamedTuple):
    """What was found.

    Attributes:
        text: the text, normalised; "" for a picture.
        preview: the picture searched for, as a data URL; "" for a text.
        asked: the label sources' queries that the text is.
        rankings: one a model.
        size: images of the gallery.
    """

    text: str
    preview: str
    asked: list[Asked]
    rankings: list[Ranking]
    size: int


class Desk:
    """The gallery as it was when the page was started; several threads may ask at once.

    Args:
        params: of the run.
        by: the name under which judgements are kept.

    Raises:
        InputError: the pipeline has not run.
    """

    def __init__(self, params: Params, by: str) -> None:
        self.params, self.by = params, by
        self._turn = threading.Lock()
        self._searchers: dict[str, Searcher] = {}
        first = self.searcher(params.embed.models[0])
        self.known = Known(params.label.sources)
        self.files = {image: first.root / path for image, path in first.path_of.items()}

    def searcher(self, model: str) -> Searcher:
        """Return the searcher of one of ``embed.models``, made when it is first asked for.

        Raises:
            InputError: the gallery is not embedded with it.
        """
        with self._turn:
            if model not in self._searchers:
                self._searchers[model] = Searcher(self.params, model)
            return self._searchers[model]

    def answer(self, question: Question) -> Answer:
        """Search and explain.

        Raises:
            InputError: there is nothing to search for.
        """
        text = "" if question.picture else normalise_text(question.text)
        if len(text) > TEXT_CHARACTERS:
            raise InputError(f"expected a text of at most {TEXT_CHARACTERS} characters, found {len(text):,}")
        asked = self.known.asked(text) if text else []
        judged = judgements_of(text, read_if_any()) if text else {}
        scores = {model: self._scores(model, text, question.picture) for model in question.models}
        rankings = []
        for model in scores:
            searcher = self.searcher(model)
            best = searcher.best(scores[model], question.wanted)
            found = [Spot(found.image_id, found.rank, found.score) for found in best]
            rankings.append(explain(scores, model, found, searcher.image_ids, self.known, asked, judged))
        preview = self._preview(question.picture) if question.picture else ""
        return Answer(text, preview, asked, rankings, len(self.files))

    def _scores(self, model: str, text: str, picture: bytes | None) -> Floats:
        searcher = self.searcher(model)
        if picture is None:
            return searcher.score_text(text)
        with tempfile.NamedTemporaryFile() as file:
            file.write(picture)
            file.flush()
            return searcher.score_picture(Path(file.name))

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
        rows = new_rows(text, image_id, grade, self.by, self.known.asked(text))
        append_judgements(rows)
        return [row.source for row in rows]
