"""RapidOCR: its models, and the lines of text that they find on an image."""

from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import files, version
from importlib.util import find_spec
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from text2image.base.console import InputError
from text2image.base.parallel import in_threads
from text2image.collection.images import open_image
from text2image.collection.manifest import ImageFile
from text2image.labels.ocr.reading import CONFIDENCE_DIGITS, Line, reading_order
from text2image.labels.protocol.source import Ask, ImageAnswer

Engine = Callable[[npt.NDArray[np.uint8]], Any]

STRIDE = 32  # the detector rounds sides to multiples of this
UNLIMITED = 1 << 16  # pixels


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
    models = {}
    for task in ("Det", "Rec"):
        fitting = [path for path in shipped if f"_{task.lower()}_" in path.name and path.is_file()]
        if len(fitting) != 1:
            raise InputError(
                f"expected one {task} model in the package rapidocr {version('rapidocr')} for the label source "
                f"'ocr', found {len(fitting)}; install the version that constraints.txt names"
            )
        models[task] = fitting[0]
    return models


def recogniser(models: dict[str, Path], max_side: int, workers: int | None) -> Ask:
    """Return what yields the lines of each image, in order; every thread has an engine on one core to itself."""
    idle: SimpleQueue[Engine] = SimpleQueue()

    def recognise(image: ImageFile) -> ImageAnswer:
        picture = open_image(image)
        try:
            engine = idle.get_nowait()
        except Empty:
            engine = load_engine(models)
        try:
            lines = read_lines(picture, engine, max_side)
        except Exception as error:  # of OpenCV, ONNX Runtime or RapidOCR: one image must not end the run
            reason = f"text recognition failed ({type(error).__name__})"
            return image.key, {"failure": reason, "transient": True}  # perhaps memory was short
        finally:
            idle.put(engine)
        return image.key, {"lines": [line._asdict() for line in lines]}

    def ask(images: Sequence[ImageFile]) -> Iterator[ImageAnswer]:
        yield from in_threads(recognise, images, workers)

    return ask


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
        Line(text, round(float(confidence), CONFIDENCE_DIGITS), box)
        for text, confidence, box in zip(result.txts, result.scores, corners.tolist(), strict=True)
    ]
    return reading_order(lines)
