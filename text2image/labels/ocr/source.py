"""Label source ``ocr``: the most prominent phrase that RapidOCR reads on an image.

Every line of text that PP-OCR finds is kept in the answer, with its confidence and its box in pixels
of the image, so that another ``min_confidence``, ``min_characters`` or ``max_words`` costs nothing.
The query is one phrase, not the whole page, chosen by its layout (:mod:`text2image.labels.ocr.reading`).

Text that is turned by 90°, 180° or 270° is read, too (:mod:`text2image.labels.ocr.orientation`). The models
come with the ``rapidocr`` package; other languages need another recogniser (:mod:`text2image.labels.ocr.models`).
"""

from collections.abc import Iterable
from importlib.metadata import version
from math import dist
from typing import Annotated, Any

from pydantic import Field

from text2image.base.console import one_line
from text2image.base.settings import Count, Runtime, Section, Share
from text2image.formats.fields import FieldText
from text2image.formats.origins import Origins, weight_origins
from text2image.formats.texts import count_words, word_ends
from text2image.labels.ocr.orientation import Reading, in_doubt
from text2image.labels.ocr.reading import CONFIDENCE_DIGITS, Line, most_prominent, phrases
from text2image.labels.protocol.source import Answer, Ask, ComputedSource, Label, NoLabel

ALMOST_UPRIGHT = 1.3  # height / width: corners in stored answers are rounded


class Settings(Section):
    """The section ``label.ocr`` of params.yaml."""

    language: str | None = None
    model: str | None = None
    min_confidence: Share
    min_characters: Count
    max_words: Count
    max_side: Annotated[int, Field(ge=32)]


class Source(ComputedSource):
    """The detector of the installed ``rapidocr``, and a recogniser."""

    settings: Settings
    task_size = (32, None)

    def fetch(self) -> None:
        """Download the recogniser for a language, where one is asked for that the package does not have."""
        from text2image.labels.ocr.models import fetch_recogniser, require_packages

        language = self.settings.language
        require_packages(language)
        if language is not None and self.settings.model is None:
            fetch_recogniser(language)

    def determinants(self) -> dict[str, Any]:
        """Return the package's version, the hashes of its models and the size that images are scaled to."""
        from text2image.labels.ocr.models import RIGHT_TO_LEFT, find_models

        models = find_models(self.settings.language, self.settings.model)
        turned = {"python-bidi": version("python-bidi")} if models.language in RIGHT_TO_LEFT else {}
        named = {
            "rapidocr": version("rapidocr"),
            "models": models.hashes(),
            "max_side": self.settings.max_side,
        }
        return named | turned

    def origins(self) -> Origins:
        """Return the models' weights."""
        return weight_origins(self.determinants()["models"], "rapidocr")

    def is_current(self, answer: Answer) -> bool:
        """Tell whether lines of an answer from before they were read both ways all stand the right way up, surely."""
        if "both_ways" in answer or "failure" in answer:
            return True
        lines = [Line(**line) for line in answer["lines"]]
        upright = [almost_upright(line) for line in lines]
        return not in_doubt([Reading(line.text, line.confidence) for line in lines], upright)

    def load(self, runtime: Runtime) -> Ask:
        """Find the models; each thread loads them when it needs them, but for a detector on a GPU, which they share."""
        from text2image.labels.ocr.engine import recogniser
        from text2image.labels.ocr.gpu import gpu_detector
        from text2image.labels.ocr.models import check_recogniser, find_models

        models = find_models(self.settings.language, self.settings.model)
        if self.settings.model is not None:
            check_recogniser(models)
        max_side = self.settings.max_side
        detector = gpu_detector(models.detector, runtime.device, max_side)
        return recogniser(models, max_side, runtime.workers, detector)

    def read(self, image_id: str, answer: Answer) -> Iterable[Label | NoLabel]:
        """Return the phrase that stands out."""
        return [choose(image_id, answer, self.settings)]

    def texts(self, image_id: str, answer: Answer) -> Iterable[FieldText]:
        """Return every line that was read with confidence, prices and small print included, and where it stands."""
        return [
            FieldText(image_id, line.text, line.confidence, tuple((round(x), round(y)) for x, y in line.box))
            for line in confident_lines(answer, self.settings.min_confidence)
        ]

    def count_words(self, answer: Answer) -> int:
        """Return how many words with a letter or digit the confident lines hold."""
        lines = confident_lines(answer, self.settings.min_confidence)
        return sum(count_words(line.text) for line in lines)


def almost_upright(line: Line) -> bool:
    """Tell whether a line of a stored answer may have been upright: all are asked in every run, so without NumPy."""
    top_left, top_right, bottom_right, bottom_left = line.box
    width = int(max(dist(top_left, top_right), dist(bottom_left, bottom_right)))
    height = int(max(dist(top_left, bottom_left), dist(top_right, bottom_right)))
    return height >= ALMOST_UPRIGHT * width


def choose(image_id: str, answer: Answer, settings: Settings) -> Label | NoLabel:
    """Return the most prominent phrase, cut off after ``max_words``, with the mean confidence of its lines."""
    if "failure" in answer:
        return NoLabel(image_id, answer["failure"])
    if not answer["lines"]:
        return NoLabel(image_id, f"no text found {legible(settings)}")
    lines = confident_lines(answer, settings.min_confidence)
    if not lines:
        return NoLabel(image_id, f"no text of label.ocr.min_confidence found {legible(settings)}")
    phrase = most_prominent(phrases(lines), settings.min_characters)
    if phrase is None:
        return NoLabel(image_id, "no phrase of label.ocr.min_characters besides prices and percentages")
    ends = word_ends(phrase.text)
    text = phrase.text[: ends[: settings.max_words][-1]]
    return Label(image_id, text, round(phrase.confidence, CONFIDENCE_DIGITS))


def legible(settings: Settings) -> str:
    """Say which text can be read: a reader of another script must not look for the fault in the images."""
    if settings.model is not None:
        return f"that {one_line(settings.model)} reads (label.ocr.model)"
    language = "Latin letters, Chinese or Japanese" if settings.language is None else f"'{settings.language}'"
    return f"in {language} (label.ocr.language)"


def confident_lines(answer: Answer, min_confidence: float) -> list[Line]:
    """Return the lines of an answer that are at least so confident, in reading order."""
    return [Line(**line) for line in answer.get("lines", []) if line["confidence"] >= min_confidence]
