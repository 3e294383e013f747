"""Times: nothing of them is taken from the store, and galleries grow as they should."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from text2image.base.arrays import Vectors
from text2image.base.console import InputError
from text2image.base.settings import Runtime, Section
from text2image.collection.manifest import ImageFile
from text2image.commands import throughput
from text2image.commands.throughput import Measured, keep
from text2image.encoders.throughput import QueryTime, Speed, read_query_times, read_speeds
from text2image.formats.origins import Origins
from text2image.formats.tables import write_csv
from text2image.formats.views import ImageVectors
from text2image.labels.human.source import Settings
from text2image.labels.human.source import Source as Human
from text2image.labels.protocol.source import Answer, Ask, ComputedSource, ImageAnswer, Label, NoLabel
from text2image.pages import timing
from text2image.pages.timing import READ, ComputingEncoder, measure_model_queries, measure_reading
from text2image.params import load_params
from text2image.retrieval.systems.vision import VisionScorer

RUNTIME: Any = None  # which no source below looks at


class Counting(ComputedSource):
    """A source that counts what it is asked."""

    def __init__(self) -> None:
        super().__init__(Section())
        self.asked: list[str] = []

    def determinants(self) -> dict[str, Any]:
        return {}

    def origins(self) -> Origins:
        return {}

    def load(self, runtime: Runtime) -> Ask:
        def ask(images: Sequence[ImageFile]) -> Iterator[ImageAnswer]:
            for image in images:
                self.asked.append(image.image_id)
                yield image.key, {}

        return ask

    def read(self, image_id: str, answer: Answer) -> list[Label | NoLabel]:
        return []


def test_some_images_are_read_after_a_warm_up() -> None:
    images = [ImageFile(f"{number:016x}", Path(f"{number}.png")) for number in range(100)]
    source = Counting()
    speed = measure_reading("ocr", source, images, RUNTIME)
    assert speed is not None
    assert speed[:3] == ("ocr", "images", "cpu")
    assert float(speed.low) <= float(speed.per_second) <= float(speed.high)
    assert source.asked[0] == source.asked[1], "the first is the warm-up"
    assert len(set(source.asked)) == len(source.asked) - 1 == READ
    few = Counting()
    measure_reading("ocr", few, images[:3], RUNTIME)
    assert len(few.asked) == 4


def test_texts_that_are_there_already_take_no_time() -> None:
    speed = measure_reading("human", Human(Settings(path="captions.csv")), [], RUNTIME)
    assert speed is not None
    assert 1000 / float(speed.per_second) == 0.0


def test_measurements_replace_earlier_ones_of_the_same_name(tmp_path: Path) -> None:
    path = tmp_path / "throughput.csv"
    old = [Speed("b", "images", "cpu", "1", "1", "1"), Speed("a", "texts", "cpu", "1", "1", "1")]
    keep(path, read_speeds, old)
    keep(path, read_speeds, [Speed("b", "images", "cuda", "9", "9", "9")])
    assert read_speeds(path) == [old[1], Speed("b", "images", "cuda", "9", "9", "9")]
    keep(path, read_speeds, [])
    assert len(read_speeds(path)) == 2


@pytest.mark.parametrize("read", [read_speeds, read_query_times])
def test_what_an_earlier_version_kept_counts_for_nothing(tmp_path: Path, read: Any) -> None:
    assert read(tmp_path / "none.csv") == []
    write_csv(tmp_path / "t.csv", ["model", "what"], [("a", "images")])
    assert read(tmp_path / "t.csv") == []
    write_csv(tmp_path / "q.csv", QueryTime._fields, [("a", "9", "cpu", "1", "2", "3")])
    assert read_query_times(tmp_path / "q.csv") == [QueryTime("a", "9", "cpu", "1", "2", "3")]


def test_a_model_that_only_reads_texts_for_a_system_is_loaded_too(monkeypatch: pytest.MonkeyPatch) -> None:
    params, loaded = load_params(), list[Any]()
    monkeypatch.setattr(Measured, "model", lambda self, name: name)
    monkeypatch.setattr(Measured, "field", lambda self, name: None)
    monkeypatch.setattr(timing, "measure_queries", lambda name, params, models: loaded.append(models))
    Measured(params).system("meant")
    assert loaded == [{"builtin": "builtin"}]


def test_only_systems_in_use_are_timed() -> None:
    with pytest.raises(InputError, match=r"^expected names of retrieve.systems .* found 'meant'$"):
        throughput.main(["meant"])


def test_a_model_alone_is_timed_among_as_many_vectors_as_it_keeps(monkeypatch: pytest.MonkeyPatch) -> None:
    searched = set[int]()

    class Recording(VisionScorer):
        def __init__(self, queries: Vectors, images: ImageVectors) -> None:
            searched.add(len(images.vectors))
            super().__init__(queries, images)

    monkeypatch.setattr(timing, "VisionScorer", Recording)
    monkeypatch.setattr(timing, "MANY", 60)
    monkeypatch.setattr(
        ComputingEncoder, "encode_text", lambda self, query: np.ones((1, 4), dtype=np.float32) / 2
    )
    model: Any = SimpleNamespace(network=torch.nn.Linear(1, 1))
    time = measure_model_queries("m", model, load_params(), 20, 2.5)
    assert searched == {50, 150}
    assert time[:3] == ("m", "20", "cpu"), "images, of which each has several"
