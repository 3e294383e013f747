"""Label source ocr: the real models on sample creatives, and what becomes of their answers."""

from __future__ import annotations

import importlib.util
import json
import re
import socket
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw

from tests.labels.test_reading import line
from text2image.base.console import InputError
from text2image.collection.manifest import ImageFile
from text2image.labels.ocr.source import labeler, model_files
from text2image.labels.protocol.source import Label, Labeler, NoLabel
from text2image.params import Params, load_params
from text2image.sample.compose import Truth, write_sample
from text2image.sample.text import Face, load_font

REPOSITORY = Path(__file__).parents[2]
CAMPAIGNS = 24
READABLE_PX = 24


@pytest.fixture
def params() -> Params:
    whole = load_params(REPOSITORY / "params.yaml")
    return whole.model_copy(update={"runtime": whole.runtime.model_copy(update={"workers": 2})})


def with_ocr(params: Params, **changed: Any) -> Params:
    ocr = params.label.ocr.model_copy(update=changed)
    return params.model_copy(update={"label": params.label.model_copy(update={"ocr": ocr})})


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Truth]]:
    folder = tmp_path_factory.mktemp("creatives") / "sample"
    return folder, write_sample(
        REPOSITORY / "sample" / "cutouts", folder, campaigns=CAMPAIGNS, seed=11, workers=1
    )


def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise AssertionError(f"network access: {args}")

    for owner, name in ((socket.socket, "connect"), (socket, "getaddrinfo"), (socket, "create_connection")):
        monkeypatch.setattr(owner, name, refuse)


def letters(text: str) -> str:
    return re.sub(r"\W+", "", text.casefold())


def test_finds_headlines_of_sample_creatives(
    sample: tuple[Path, list[Truth]],
    params: Params,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """With a seed that nothing was tuned on, no network, and nothing printed."""
    no_network(monkeypatch)
    folder, rows = sample
    readable = [row for row in rows if row[6] >= READABLE_PX and row[4] != "copy"]
    source = labeler(params)
    answers = dict(source.ask([ImageFile(row[0], folder / row[0]) for row in readable]))
    found = chosen = 0
    for path, *_, headline, _, _ in readable:
        lines = [item["text"] for item in answers[path]["lines"]]
        found += letters(headline) in letters("".join(lines))
        label = next(iter(source.read(path, answers[path])))
        chosen += isinstance(label, Label) and letters(label.text) == letters(headline)
    assert found >= 0.9 * len(readable)
    assert chosen >= 0.9 * len(readable)
    assert capfd.readouterr() == ("", "")


def drawn(
    path: Path, words: list[tuple[str, int, int, int]], size: tuple[int, int] = (400, 300)
) -> ImageFile:
    """Draw ``(text, x, y, px)`` in black on white."""
    image = Image.new("RGB", size, "white")
    for text, x, y, px in words:
        ImageDraw.Draw(image).text(
            (x, y), text, fill="black", font=load_font(Face("DejaVuSans-Bold.ttf", px))
        )
    image.save(path)
    return ImageFile(path.stem, path)


def test_answers_do_not_depend_on_what_is_read_beside(params: Params, tmp_path: Path) -> None:
    images = [
        drawn(tmp_path / "one.png", [("Bloom where", 20, 40, 40), ("you are", 20, 90, 40)]),
        drawn(tmp_path / "two.png", [("Shop now", 50, 100, 36)], (1400, 240)),
        drawn(tmp_path / "empty.png", []),
        drawn(tmp_path / "dot.png", [], (1, 1)),
        drawn(tmp_path / "thin.png", [], (3000, 2)),
    ]
    source = labeler(params)
    together = list(source.ask(images))
    assert [image_id for image_id, _ in together] == [image.image_id for image in images]
    assert together == [item for image in images for item in labeler(params).ask([image])]
    assert json.loads(json.dumps(together)) == [list(item) for item in together]


def test_boxes_are_in_pixels_of_the_image(params: Params, tmp_path: Path) -> None:
    """An image of 2400 px is read at 640; the drawn words span 204 px above the base line."""
    image = drawn(tmp_path / "large.png", [("GARDEN", 300, 500, 280)], (2400, 1200))
    ((_, answer),) = labeler(params).ask([image])
    (found,) = answer["lines"]
    left, top = found["box"][0]
    right, bottom = found["box"][2]
    ink = Image.open(image.path).convert("L").point(lambda value: 255 - value).getbbox()
    assert ink is not None
    assert (left, top, right, bottom) == pytest.approx(ink, abs=60)
    assert found["text"] == "GARDEN"
    assert 0.9 < found["confidence"] <= 1


def answer(*lines: tuple[str, float, float]) -> dict[str, Any]:
    """An answer of lines ``(text, px, confidence)``, one below the other."""
    items, top = [], 0.0
    for text, px, confidence in lines:
        one = line(text, 0, top, px)
        items.append(
            {"text": text, "confidence": confidence, "box": [list(corner) for corner in one.corners]}
        )
        top += px * 3
    return {"lines": items}


def read(source: Labeler, given: dict[str, Any]) -> Label | NoLabel:
    (item,) = source.read("id", given)
    return item


def test_choice_follows_the_parameters_without_asking_again(params: Params) -> None:
    given = answer(("Small but certain words here", 20, 0.95), ("Large", 40, 0.7))
    keys = []
    for changed, expected in (
        ({"min_confidence": 0.5}, Label("id", "Large", 0.7)),
        ({"min_confidence": 0.8}, Label("id", "Small but certain words here", 0.95)),
        ({"min_characters": 8}, Label("id", "Small but certain words here", 0.95)),
        ({"min_confidence": 0.8, "max_words": 2}, Label("id", "Small but", 0.95)),
        ({"min_confidence": 0.99}, NoLabel("id", "confidence below label.ocr.min_confidence")),
    ):
        source = labeler(with_ocr(params, **changed))
        assert read(source, given) == expected
        keys.append(source.determinants)
    assert all(key == keys[0] for key in keys)
    assert labeler(with_ocr(params, max_side=320)).determinants != keys[0]


def test_reasons(params: Params) -> None:
    source = labeler(params)
    assert read(source, answer()) == NoLabel("id", "no text found")
    assert isinstance(read(source, answer(("-30%", 40, 0.99))), NoLabel)
    assert read(source, {"failure": "text recognition failed (error)"}) == NoLabel(
        "id", "text recognition failed (error)"
    )


def test_words_are_counted(params: Params) -> None:
    source = labeler(params)
    assert source.words
    given = answer(("Own the game", 40, 0.99), ("- 40 % !", 20, 0.9), ("unsure words", 20, 0.1))
    assert source.words(given) == 4
    assert source.words({"failure": "anything"}) == 0


def test_one_image_does_not_end_the_run(
    params: Params, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(models: dict[str, Path]) -> Any:
        def engine(pixels: Any) -> Any:
            raise RuntimeError("an error in the engine")

        return engine

    monkeypatch.setattr("text2image.labels.ocr.source.load_engine", broken)
    ((_, given),) = labeler(params).ask([drawn(tmp_path / "one.png", [])])
    assert given == {"failure": "text recognition failed (RuntimeError)", "passing": True}


@pytest.mark.parametrize("package", ["rapidocr", "onnxruntime"])
def test_a_missing_package_names_the_extra(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    there = importlib.util.find_spec
    monkeypatch.setattr(
        "text2image.labels.ocr.source.find_spec", lambda name: None if name == package else there(name)
    )
    with pytest.raises(InputError, match=rf"no {package}; .*\[ocr\]"):
        model_files()
