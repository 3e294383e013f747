"""How right the labels of ``ocr`` are, by ``label.ocr.min_confidence``: ``python -m benchmarks.ocr_confidence``.

Advertisements of the sample, whose headlines are known: upright, turned by 90°, 180° and 270°, and as thumbnails of 160
pixels; and headlines in scripts that the models of the package do not read, for which any label is wrong. Each
image is read once, with the models of the package and the other parameters of params.yaml. Takes two minutes.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from typing import NamedTuple

from PIL import Image, ImageDraw

from text2image.collection.images import decode, read_bytes
from text2image.labels.ocr.engine import load_engine, read_lines
from text2image.labels.ocr.models import find_models
from text2image.labels.ocr.source import Settings, choose
from text2image.labels.protocol.source import Answer, Label
from text2image.params import load_params
from text2image.sample.compose import write_sample
from text2image.sample.text import Face, load_font

CAMPAIGNS, SEED = 60, 23  # a sample that nothing was tuned on
THUMBNAIL = 160  # pixels
THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98)
FOREIGN = {
    "Cyrillic": ["Летняя распродажа", "Новая коллекция обуви", "Скидки каждый день", "Горячий кофе с собой"],
    "Greek": ["Καλοκαιρινές εκπτώσεις", "Νέα συλλογή παπουτσιών", "Προσφορές κάθε μέρα", "Ζεστός καφές"],
    "Arabic": ["تخفيضات الصيف", "مجموعة جديدة", "عروض كل يوم", "قهوة ساخنة"],
}


class Read(NamedTuple):
    """What was read on an image, and what its headline is, None if it cannot be read."""

    kind: str
    answer: Answer
    headline: str | None


def creatives(folder: Path) -> Iterator[tuple[str, Image.Image, str | None]]:
    """Yield ``(kind, image, headline)``: each advertisement upright and turned, and each headline in another script."""
    rows = write_sample(
        Path("sample/cutouts"), folder, campaigns=CAMPAIGNS, templates=0, seed=SEED, workers=1
    )
    originals = [row for row in rows if row.kind == "original"]
    for row, degrees in zip(originals, cycle((90, 180, 270))):
        image = decode(read_bytes(folder / row.path))
        yield "upright", image, row.headline
        yield "turned", image.rotate(degrees, expand=True), row.headline
        image.thumbnail((THUMBNAIL, THUMBNAIL))
        yield "thumbnail", image, row.headline
    for script, texts in FOREIGN.items():
        for number, text in enumerate(4 * texts):
            px = (28, 36, 44, 56)[number // 4]
            image = Image.new("RGB", (900, 160), ("white", "#1d3557")[number % 2])
            ink = ("black", "white")[number % 2]
            ImageDraw.Draw(image).text(
                (30, 40), text, fill=ink, font=load_font(Face("DejaVuSans-Bold.ttf", px))
            )
            yield script, image, None


def letters(text: str) -> str:
    return re.sub(r"\W+", "", text.casefold())


def report(kind: str, found: list[Read], settings: Settings) -> None:
    """Print how many images of a kind have a label, and how many labels are the headline, by threshold."""
    for threshold in THRESHOLDS:
        changed = settings.model_copy(update={"min_confidence": threshold})
        labels = [(choose("", read.answer, changed), read.headline) for read in found]
        texts = [(label.text, headline) for label, headline in labels if isinstance(label, Label)]
        right = sum(headline is not None and letters(text) == letters(headline) for text, headline in texts)
        print(f"{kind:>9} {threshold:5.2f} {len(found):7} {len(texts):8} {right:6} {len(texts) - right:6}")


def main() -> None:
    settings = load_params().label.ocr
    engine = load_engine(find_models())
    with tempfile.TemporaryDirectory() as name:
        found = [
            Read(kind, read_lines(image, engine, settings.max_side).answer(), headline)
            for kind, image, headline in creatives(Path(name, "sample"))
        ]
    print("     kind  from  images  labels  right  wrong")
    for kind in dict.fromkeys(read.kind for read in found):
        report(kind, [read for read in found if read.kind == kind], settings)


if __name__ == "__main__":
    main()
