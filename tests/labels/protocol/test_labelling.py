"""Labels of any source: texts made safe, reasons counted, words and figures."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from text2image.base.settings import Runtime, Section
from text2image.collection.manifest import ImageFile
from text2image.formats.origins import Origins
from text2image.labels.protocol.labelling import MAX_TEXT, REPEATED, clean, label_images, shorten
from text2image.labels.protocol.source import (
    Answer,
    Ask,
    ComputedSource,
    FreeSource,
    ImageAnswer,
    Inputs,
    Label,
    NoLabel,
)

IMAGES = [ImageFile(name, Path(name)) for name in "abc"]
INPUTS = Inputs(Path("unused.csv"), [])


class Free(FreeSource):
    """Two texts for one image, one for another."""

    def label(self, images: Sequence[ImageFile], inputs: Inputs) -> Iterable[Label | NoLabel]:
        return [
            Label("b", "blue shoe", 0.5),
            Label("a", "shoe", None),
            Label("b", "shoe", 0.7),
            NoLabel("c", "x"),
        ]


class Reading(ComputedSource):
    """Reads words on images, as many as their place in the alphabet."""

    def determinants(self) -> dict[str, Any]:
        return {}

    def origins(self) -> Origins:
        return {}

    def load(self, runtime: Runtime) -> Ask:
        def ask(images: Sequence[ImageFile]) -> Iterator[ImageAnswer]:
            for image in images:
                yield image.image_id, {"words": " abc".index(image.image_id)}

        return ask

    def read(self, image_id: str, answer: Answer) -> Iterable[Label | NoLabel]:
        return [Label(image_id, "one text of five words", 0.25)]

    def count_words(self, answer: Answer) -> int:
        number: int = answer["words"]
        return number


def test_a_free_source(runtime: Runtime) -> None:
    labelling = label_images("free", Free(Section()), IMAGES, INPUTS, runtime)
    assert labelling.labels == [
        Label("a", "shoe", None),
        Label("b", "blue shoe", 0.5),
        Label("b", "shoe", 0.7),
    ]
    assert labelling.unlabelled == [NoLabel("c", "x")]
    assert labelling.words == [("a", 1), ("b", 2), ("c", 0)], "of the longest text"
    figures = labelling.figures
    assert figures.pop("confidence") == pytest.approx(
        {"q05": 0.51, "q25": 0.55, "q50": 0.6, "q75": 0.65, "q95": 0.69}
    )
    assert figures == {
        "images": 3,
        "labelled_images": 2,
        "pairs": 3,
        "unique_texts": 2,
        "mean_words": 4 / 3,
        "without_label": {"x": 1},
    }


@pytest.mark.usefixtures("own_cache")
def test_a_source_that_reads_words(runtime: Runtime) -> None:
    labelling = label_images("reading", Reading(Section()), IMAGES, INPUTS, runtime)
    assert labelling.words == [("a", 1), ("b", 2), ("c", 3)], "on the image"
    assert labelling.figures["mean_words"] == 5


def test_texts_become_one_line_and_the_first_of_equals_stays() -> None:
    items: list[Label | NoLabel] = [
        Label("a", " red\n shoe ", 0.9),
        Label("a", "red shoe", 0.1),
        Label("a", "\u200b", 0.5),
        NoLabel("b", "blurred"),
    ]
    assert clean(items) == (
        [Label("a", "red shoe", 0.9)],
        [NoLabel("a", REPEATED), NoLabel("a", "text without a visible character"), NoLabel("b", "blurred")],
    )


def test_long_texts_end_with_a_word() -> None:
    assert shorten("x" * MAX_TEXT) == "x" * MAX_TEXT
    assert shorten("word " * MAX_TEXT) == ("word " * (MAX_TEXT // 5)).strip()
    assert shorten("x" * (MAX_TEXT + 1)) == "x" * MAX_TEXT
