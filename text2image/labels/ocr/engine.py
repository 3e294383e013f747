"""RapidOCR: the lines of text that its models find on an image."""

from collections.abc import Iterator, Sequence
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image

from text2image.base.parallel import in_threads, one_opencv_thread
from text2image.collection.images import open_image
from text2image.collection.manifest import ImageFile
from text2image.labels.ocr.models import Models
from text2image.labels.ocr.orientation import Reading, from_top_left, in_doubt, is_upright, turned
from text2image.labels.ocr.reading import CONFIDENCE_DIGITS, Line, reading_order
from text2image.labels.protocol.source import Answer, Ask, ImageAnswer

Engine: TypeAlias = Any  # rapidocr.RapidOCR, which is imported where it is used

STRIDE = 32  # the detector rounds sides to multiples of this
UNLIMITED = 1 << 16  # pixels


class Lines(NamedTuple):
    """The lines of an image, and whether all were read both ways (:mod:`text2image.labels.ocr.orientation`)."""

    lines: list[Line]
    both_ways: bool

    def answer(self) -> Answer:
        """Return them as they are stored."""
        return {"lines": [line._asdict() for line in self.lines], "both_ways": self.both_ways}


def recogniser(models: Models, max_side: int, workers: int | None, detector: Any = None) -> Ask:
    """Return what yields the lines of each image, in order; every thread has an engine on one core to itself.

    ``detector``: what all threads find lines with (:class:`text2image.labels.ocr.gpu.GpuDetector`), instead of one
    a thread on its core.
    """
    idle: SimpleQueue[Engine] = SimpleQueue()

    def recognise(image: ImageFile) -> ImageAnswer:
        picture = open_image(image)
        try:
            engine = idle.get_nowait()
        except Empty:
            engine = load_engine(models, detector)
        try:
            lines = read_lines(picture, engine, max_side)
        except Exception as error:  # of OpenCV, ONNX Runtime or RapidOCR: one image must not end the run
            reason = f"text recognition failed ({type(error).__name__})"
            return image.key, {"failure": reason, "transient": True}  # perhaps memory was short
        finally:
            idle.put(engine)
        return image.key, lines.answer()

    def ask(images: Sequence[ImageFile]) -> Iterator[ImageAnswer]:
        yield from in_threads(recognise, images, workers)

    return ask


def load_engine(models: Models, detector: Any = None) -> Engine:
    """Return RapidOCR on one thread, silent, returning every line and leaving the image's size as it is.

    ``detector``: an ``onnxruntime.InferenceSession`` to find lines with, if another than one of its own.
    """
    from omegaconf import flag_override
    from rapidocr import RapidOCR

    one_opencv_thread()
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
            "Det.model_path": str(models.detector),
            "Det.limit_type": "max",
            "Det.limit_side_len": UNLIMITED,
            "Rec.model_path": str(models.recogniser),
            "Rec.rec_keys_path": None if models.characters is None else str(models.characters),
            "Rec.lang_type": models.language,
            "Rec.rec_batch_num": 1,  # a line's text does not depend on the lines beside it
        }
    )
    if detector is not None:
        with flag_override(engine.cfg, "allow_objects", True):
            engine.cfg.Det.session = detector
    return engine


def read_lines(image: Image.Image, engine: Engine, max_side: int) -> Lines:
    """Return all lines of an RGB image in reading order, with corners in whole pixels of it.

    Larger images are scaled down to ``max_side``; smaller ones are not scaled up, which was measured to
    find no more. Sides are filled up to multiples of 32, since the detector would stretch the image to these.
    """
    scale = min(1.0, max_side / max(image.size))
    width, height = (max(1, round(side * scale)) for side in image.size)
    if scale < 1:
        image = image.resize((width, height), Image.Resampling.LANCZOS, reducing_gap=2.0)
    padding = ((0, -height % STRIDE), (0, -width % STRIDE), (0, 0))
    pixels = np.ascontiguousarray(np.pad(np.asarray(image), padding, mode="edge")[:, :, ::-1])
    boxes = engine(pixels, use_det=True, use_cls=False, use_rec=False).boxes  # (n, 4, 2) float32
    if boxes is None:
        return Lines([], both_ways=False)
    boxes, readings, both_ways = read_upright(pixels, boxes, engine)
    corners = np.rint(np.clip(boxes, 0, (width, height)) / scale).astype(int)
    lines = [
        Line(reading.text, round(float(reading.confidence), CONFIDENCE_DIGITS), box)
        for reading, box in zip(readings, corners.tolist(), strict=True)
        if reading.text.strip()
    ]
    return Lines(reading_order(lines), both_ways)


def read_upright(
    pixels: npt.NDArray[np.uint8], boxes: npt.NDArray[np.float32], engine: Engine
) -> tuple[npt.NDArray[np.float32], list[Reading], bool]:
    """Read detected lines, the right way up.

    Args:
        pixels: ``(height, width, 3)``, blue first.
        boxes: ``(n, 4, 2)`` corners in them, clockwise from the top left of the image.

    Returns:
        The corners, clockwise from the top left of the text; what is read there; and whether all were read both ways.
    """

    def read(parts: Sequence[npt.NDArray[np.uint8]]) -> list[Reading]:
        result = engine.recognize_txt(parts)
        return [Reading(*found) for found in zip(result.txts, result.scores, strict=True)]

    parts = engine.crop_text_regions(pixels, boxes)
    readings, upright = read(parts), [is_upright(box) for box in boxes]
    if not in_doubt(readings, upright):
        return boxes, readings, False
    upside_down = read([np.ascontiguousarray(np.rot90(part, 2)) for part in parts])
    turns = turned(readings, upside_down, upright)
    chosen = [pair[turn] for *pair, turn in zip(readings, upside_down, turns, strict=True)]
    corners = [from_top_left(*line) for line in zip(boxes, upright, turns, strict=True)]
    return np.stack(corners), chosen, True
