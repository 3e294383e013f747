"""How long OCR takes for an image on one core: ``python -m benchmarks.ocr [FOLDER]``.

Large images are made from those of the folder (the sample by default): enlarged to 1280 pixels, so that
the label source scales each down to ``label.ocr.max_side``, the most that it ever reads. Loading the models
is left out. Decoding and scaling the same files is timed in the same run, as a yardstick for the machine. Where the CUDA
provider of ONNX Runtime is, the whole source reads the files with the detector there and without, in as many threads as
there are cores, and what differs is counted.
"""

from __future__ import annotations

import hashlib
import io
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import onnxruntime
from PIL import Image

from text2image.collection.images import UnusableImage, decode, read_bytes
from text2image.collection.manifest import ImageFile
from text2image.labels.ocr.engine import Engine, load_engine, read_lines
from text2image.labels.ocr.gpu import CUDA
from text2image.labels.ocr.models import find_models
from text2image.labels.ocr.source import Source
from text2image.labels.protocol.source import Answer
from text2image.params import load_params

LARGE = 1280  # pixels
COUNT = 40
TURNS = 3  # the first of which warms up


def usable(folder: Path) -> list[Path]:
    """Return ``COUNT`` images of a folder, evenly spread over its sorted files."""
    found = []
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        try:
            decode(read_bytes(path))
        except UnusableImage:
            continue
        found.append(path)
    return found[:: max(1, len(found) // COUNT)][:COUNT]


def enlarged(path: Path) -> bytes:
    """Return an image as a JPEG whose longer side has ``LARGE`` pixels."""
    image = decode(read_bytes(path))
    scale = LARGE / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    buffer = io.BytesIO()
    image.resize(size, Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def seconds(files: Sequence[Path], engine: Engine | None, max_side: int) -> float:
    """Return the mean processor seconds to decode and read an image, or without an engine to decode and scale it."""
    start = time.process_time()
    for path in files:
        image = decode(read_bytes(path))
        if engine is None:
            image.thumbnail((max_side, max_side), Image.Resampling.LANCZOS)
        else:
            read_lines(image, engine, max_side)
    return (time.process_time() - start) / len(files)


def report(name: str, files: Sequence[Path], engine: Engine, max_side: int) -> None:
    """Print one line of figures."""
    read, scaled = seconds(files, engine, max_side), seconds(files, None, max_side)
    print(
        f"{name}: {read:.3f} s an image ({len(files)} images), {read / scaled:.0f} times decoding and scaling"
    )


def compare(files: Sequence[Path]) -> None:
    """Print how many images a second the source reads with its detector on the CPU and on a GPU, by turns."""
    params = load_params()
    images = [ImageFile(hashlib.sha256(path.read_bytes()).hexdigest()[:16], path) for path in files]
    settings = params.label.settings("ocr")
    asks = {
        device: Source(settings).load(params.runtime.model_copy(update={"device": device}))
        for device in ("cpu", "cuda")
    }
    taken: dict[str, list[float]] = {"cpu": [], "cuda": []}
    answers: dict[str, dict[str, Answer]] = {}
    for device in ("cuda", "cpu") * TURNS:
        start = time.perf_counter()
        answers[device] = dict(asks[device](images))
        taken[device].append(time.perf_counter() - start)
    on_cpu, on_gpu = (len(images) / min(taken[device][1:]) for device in ("cpu", "cuda"))
    same = sum(answers["cpu"][image.key] == answers["cuda"][image.key] for image in images)
    texts = sum(spelt(answers["cpu"][image.key]) == spelt(answers["cuda"][image.key]) for image in images)
    print(
        f"detector on the GPU: {on_gpu:.1f} images/s, on the CPU: {on_cpu:.1f} images/s; of {len(images)} answers {same} "
        f"are the same, {texts} in their texts"
    )


def spelt(answer: Answer) -> list[str]:
    """Return the texts of an answer's lines."""
    return [line["text"] for line in answer.get("lines", [])]


def main(arguments: Iterable[str]) -> None:
    folder = Path(next(iter(arguments), "data/sample"))
    max_side = load_params().label.ocr.max_side
    files = usable(folder)
    engine = load_engine(find_models())
    seconds(files[:2], engine, max_side)  # the first ones warm up
    report("as they are", files, engine, max_side)
    with tempfile.TemporaryDirectory() as name:
        large = [Path(name, f"{number}.jpg") for number in range(len(files))]
        for path, target in zip(files, large, strict=True):
            target.write_bytes(enlarged(path))
        report(f"{LARGE} px, read at {max_side} px", large, engine, max_side)
        if CUDA in onnxruntime.get_available_providers():
            compare([*files, *large])
        else:
            print("no comparison with a GPU: onnxruntime has no CUDA provider (docs/gpu.md)")


if __name__ == "__main__":
    main(sys.argv[1:])
