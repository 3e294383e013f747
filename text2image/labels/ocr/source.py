"""Label source ``ocr``: the most prominent phrase that RapidOCR reads on an image.

Every line of text that PP-OCR finds is kept in the answer, with its confidence and its box in pixels
of the image, so that another ``min_confidence``, ``min_characters`` or ``max_words`` costs nothing.
The query is one phrase, not the whole page. It is chosen by layout alone
(:mod:`text2image.labels.ocr.reading`): lines of the same letter size that follow each other closely and are
aligned make one phrase, and the phrase with the largest letters, weighted by its confidence, is
taken. Prices and percentages are no phrases.

The models come with the ``rapidocr`` package, and nothing is ever downloaded. Text that stands upside
down is not read: the classifier for it costs time, and advertisements have none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib.metadata import files, version
from importlib.util import find_spec
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from pydantic import Field

from text2image.base.console import InputError
from text2image.base.parallel import in_threads
from text2image.base.settings import Count, Section, Share
from text2image.collection.images import open_image
from text2image.collection.manifest import ImageFile
from text2image.formats.files import sha256
from text2image.labels.ocr.reading import Line, most_prominent, phrases, reading_order
from text2image.labels.protocol.source import Answer, Ask, Context, Label, Labeler, NoLabel

Engine = Callable[[npt.NDArray[np.uint8]], Any]

STRIDE = 32  # the detector rounds sides to multiples of this
CONFIDENCE_DIGITS = 6
UNLIMITED = 1 << 16  # pixels


class Settings(Section):
    """The section ``label.ocr`` of params.yaml."""

    min_confidence: Share
    min_characters: Count
    max_words: Count
    max_side: Annotated[int, Field(ge=32)]


def labeler(settings: Settings, context: Context) -> Labeler:
    """Return the labeler that reads images with the models of the installed ``rapidocr``.

    Raises:
        InputError: ``rapidocr`` or ``onnxruntime`` is not installed.
    """
    models = model_files()
    determinants = {
        "rapidocr": version("rapidocr"),
        "models": {path.name: sha256(path) for path in models.values()},
        "max_side": settings.max_side,
    }

    def start() -> Ask:
        return recogniser(models, settings.max_side, context.runtime.workers)

    def ask(images: Sequence[ImageFile]) -> Iterator[tuple[str, Answer]]:
        yield from start()(images)

    def read(image_id: str, answer: Answer) -> Iterable[Label | NoLabel]:
        return [choose(image_id, answer, settings)]

    def words(answer: Answer) -> int:
        texts = (line.text for line in confident_lines(answer, settings.min_confidence))
        return sum(any(char.isalnum() for char in word) for text in texts for word in text.split())

    return Labeler(determinants, ask, read, words=words, start=start)


def choose(image_id: str, answer: Answer, settings: Settings) -> Label | NoLabel:
    """Return the most prominent phrase, cut off after ``max_words``, with the mean confidence of its lines."""
    if "failure" in answer:
        return NoLabel(image_id, answer["failure"])
    if not answer["lines"]:
        return NoLabel(image_id, "no text found")
    lines = confident_lines(answer, settings.min_confidence)
    if not lines:
        return NoLabel(image_id, "confidence below label.ocr.min_confidence")
    phrase = most_prominent(phrases(lines), settings.min_characters)
    if phrase is None:
        return NoLabel(image_id, "no phrase of label.ocr.min_characters besides prices and percentages")
    text = " ".join(phrase.text.split()[: settings.max_words])
    return Label(image_id, text, round(phrase.confidence, CONFIDENCE_DIGITS))


def confident_lines(answer: Answer, min_confidence: float) -> list[Line]:
    """Return the lines of an answer that are at least so confident, in reading order."""
    return [
        Line(line["text"], line["confidence"], tuple((x, y) for x, y in line["box"]))
        for line in answer.get("lines", [])
        if line["confidence"] >= min_confidence
    ]


def model_files() -> dict[str, Path]:
    """Return ``{"Det": path, "Rec": path}`` of the models in the installed ``rapidocr``.

    Raises:
        InputError: it or ``onnxruntime`` is not installed, or brings no such models.
    """
    for package in ("onnxruntime", "rapidocr"):
        if find_spec(package) is None:
            raise InputError(
                f"expected the packages of the label source 'ocr' (params key label.sources), found no {package}; "
                "run pip install 'text2image-retrieval[ocr]', or in this repository: pip install -e '.[ocr]'"
            )
    shipped = [Path(str(file.locate())) for file in files("rapidocr") or () if file.suffix == ".onnx"]
    found = {}
    for task in ("Det", "Rec"):
        fitting = [path for path in shipped if f"_{task.lower()}_" in path.name and path.is_file()]
        if len(fitting) != 1:
            raise InputError(
                f"expected one {task} model in the package rapidocr {version('rapidocr')} for the label source "
                f"'ocr', found {len(fitting)}; install the version that constraints.txt names"
            )
        found[task] = fitting[0]
    return found


def recogniser(models: dict[str, Path], max_side: int, workers: int | None) -> Ask:
    """Return what yields the lines of each image, in order; every thread has an engine on one core to itself."""
    idle: SimpleQueue[Engine] = SimpleQueue()

    def answer(image: ImageFile) -> tuple[str, Answer]:
        picture = open_image(image.path)
        try:
            engine = idle.get_nowait()
        except Empty:
            engine = load_engine(models)
        try:
            lines = read_lines(picture, engine, max_side)
        except Exception as error:  # of OpenCV, ONNX Runtime or RapidOCR: one image must not end the run
            reason = f"text recognition failed ({type(error).__name__})"
            return image.image_id, {"failure": reason, "passing": True}  # perhaps memory was short
        finally:
            idle.put(engine)
        return image.image_id, {"lines": [_as_json(line) for line in lines]}

    def recognise(images: Sequence[ImageFile]) -> Iterator[tuple[str, Answer]]:
        yield from in_threads(answer, images, workers)

    return recognise


def load_engine(models: dict[str, Path]) -> Engine:
    """Return RapidOCR on one thread, silent, returning every line and leaving the image's size as it is."""
    import cv2
    from rapidocr import RapidOCR

    cv2.setNumThreads(1)
    engine: Engine = RapidOCR(
        params={
            "Global.log_level": "critical",
            "Global.use_cls": False,
            "Global.text_score": 0.0,
            "Global.min_side_len": 1,
            "Global.max_side_len": UNLIMITED,
            "Global.min_height": 0,  # with the ratio: no letterbox
            "Global.width_height_ratio": -1,
            "EngineConfig.onnxruntime.intra_op_num_threads": 1,
            "EngineConfig.onnxruntime.inter_op_num_threads": 1,
            "Det.model_path": str(models["Det"]),
            "Det.limit_type": "max",
            "Det.limit_side_len": UNLIMITED,
            "Rec.model_path": str(models["Rec"]),
            "Rec.rec_batch_num": 1,  # a line's text does not depend on the lines beside it
        }
    )
    return engine


def read_lines(image: Image.Image, engine: Engine, max_side: int) -> list[Line]:
    """Return all lines of an RGB image in reading order, with corners in whole pixels of it.

    Larger images are scaled down to ``max_side``; smaller ones are not scaled up, which was measured to
    find no more. Sides are filled up to multiples of 32, since the detector would stretch the image to these.
    """
    scale = min(1.0, max_side / max(image.size))
    width, height = (max(1, round(side * scale)) for side in image.size)
    if scale < 1:
        image = image.resize((width, height), Image.Resampling.LANCZOS, reducing_gap=2.0)
    padding = ((0, -height % STRIDE), (0, -width % STRIDE), (0, 0))
    result = engine(np.ascontiguousarray(np.pad(np.asarray(image), padding, mode="edge")[:, :, ::-1]))
    if result.txts is None:
        return []
    corners = np.rint(np.clip(result.boxes, 0, (width, height)) / scale).astype(int)  # (n, 4, 2)
    lines = [
        Line(text, round(float(confidence), CONFIDENCE_DIGITS), tuple((x, y) for x, y in box))
        for text, confidence, box in zip(result.txts, result.scores, corners.tolist(), strict=True)
    ]
    return reading_order(lines)


def _as_json(line: Line) -> dict[str, Any]:
    return {
        "text": line.text,
        "confidence": line.confidence,
        "box": [list(corner) for corner in line.corners],
    }
