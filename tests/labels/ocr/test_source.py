"""Label source ocr: the real models on sample creatives, and what becomes of their answers."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw

from tests.labels.ocr.test_reading import line
from tests.support.pictures import image_file
from tests.support.workplace import REPOSITORY
from text2image.base.console import InputError
from text2image.base.settings import Runtime
from text2image.base.store import Store
from text2image.collection.images import open_image
from text2image.collection.manifest import ImageFile
from text2image.labels.ocr.models import Models
from text2image.labels.ocr.reading import Line
from text2image.labels.ocr.source import Settings, Source
from text2image.labels.protocol.answers import all_determinants, collect_answers, store_kind
from text2image.labels.protocol.source import Label, NoLabel
from text2image.params import Params
from text2image.sample.compose import Truth, write_sample
from text2image.sample.text import Face, load_font

CAMPAIGNS = 24
READABLE_PX = 24
SCRIPTS = "Latin letters, Chinese or Japanese (label.ocr.language)"


def settings(**changed: Any) -> Settings:
    return Settings(
        **{"min_confidence": 0.6, "min_characters": 3, "max_words": 12, "max_side": 640, **changed}
    )


def ask(images: list[ImageFile], runtime: Runtime) -> list[tuple[str, dict[str, Any]]]:
    return list(Source(settings()).load(runtime)(images))


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Truth]]:
    folder = tmp_path_factory.mktemp("creatives") / "sample"
    return folder, write_sample(
        REPOSITORY / "sample" / "cutouts", folder, campaigns=CAMPAIGNS, templates=0, seed=11, workers=1
    )


def letters(text: str) -> str:
    return re.sub(r"\W+", "", text.casefold())


@pytest.mark.slow
@pytest.mark.usefixtures("offline")
def test_finds_headlines_of_sample_creatives(
    sample: tuple[Path, list[Truth]], runtime: Runtime, capfd: pytest.CaptureFixture[str]
) -> None:
    """With a seed that nothing was tuned on, no network, and nothing printed."""
    folder, rows = sample
    readable = [row for row in rows if row.headline_px >= READABLE_PX and row.kind != "copy"]
    images = {row.path: image_file(folder / row.path) for row in readable}
    answers = dict(ask(list(images.values()), runtime))
    read = chosen = 0
    for row in readable:
        lines = [item["text"] for item in answers[images[row.path].key]["lines"]]
        read += letters(row.headline) in letters("".join(lines))
        (label,) = Source(settings()).read(row.path, answers[images[row.path].key])
        chosen += isinstance(label, Label) and letters(label.text) == letters(row.headline)
    assert read >= 0.9 * len(readable)
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
    return image_file(path)


@pytest.mark.slow
def test_answers_do_not_depend_on_what_is_read_beside(runtime: Runtime, tmp_path: Path) -> None:
    images = [
        drawn(tmp_path / "one.png", [("Bloom where", 20, 40, 40), ("you are", 20, 90, 40)]),
        drawn(tmp_path / "two.png", [("Shop now", 50, 100, 36)], (1400, 240)),
        drawn(tmp_path / "empty.png", []),
        drawn(tmp_path / "dot.png", [], (1, 1)),
        drawn(tmp_path / "thin.png", [], (3000, 2)),
    ]
    together = ask(images, runtime)
    assert [image_id for image_id, _ in together] == [image.image_id for image in images]
    assert together == [item for image in images for item in ask([image], runtime)]
    assert json.loads(json.dumps(together)) == [list(item) for item in together]


def test_boxes_are_in_pixels_of_the_image(runtime: Runtime, tmp_path: Path) -> None:
    """An image of 2400 px is read at 640; the drawn words span 204 px above the base line."""
    image = drawn(tmp_path / "large.png", [("GARDEN", 300, 500, 280)], (2400, 1200))
    ((_, answer),) = ask([image], runtime)
    (word,) = answer["lines"]
    left, top = word["box"][0]
    right, bottom = word["box"][2]
    ink = open_image(image).convert("L").point(lambda value: 255 - value).getbbox()
    assert ink is not None
    assert (left, top, right, bottom) == pytest.approx(ink, abs=60)
    assert word["text"] == "GARDEN"
    assert 0.9 < word["confidence"] <= 1


HEADLINES = ("SUMMER SALE TODAY", "Little joys, big smiles")


@pytest.mark.slow
@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_turned_text_is_read_the_right_way_up(degrees: int, runtime: Runtime, tmp_path: Path) -> None:
    """A headline, over two lines where it has four words, with a brand above it; boxes begin where the text does."""
    images = []
    for number, headline in enumerate(HEADLINES):
        words = headline.split()
        lines = [" ".join(words[:2]), " ".join(words[2:])]
        image = drawn(
            tmp_path / f"{number}.png",
            [
                ("Nordista", 20, 10, 20),
                *((text, 20, 60 + 56 * row, 44) for row, text in enumerate(lines) if text),
            ],
            (500, 200),
        )
        open_image(image).rotate(degrees, expand=True).save(str(image.path))
        images.append(image_file(Path(str(image.path))))
    answers = dict(ask(images, runtime))
    for image, headline in zip(images, HEADLINES, strict=True):
        given = answers[image.key]
        (label,) = Source(settings(min_confidence=0.9)).read(image.image_id, given)
        assert isinstance(label, Label) and letters(label.text) == letters(headline)
        assert {Line(**item).quarters for item in given["lines"]} == {(-degrees % 360) // 90}
        assert given["both_ways"] is True


@pytest.mark.slow
def test_scripts_that_are_not_read_make_no_label(runtime: Runtime, defaults: Params, tmp_path: Path) -> None:
    """With the parameters of params.yaml; the reason names the scripts that are read."""
    texts = ("Καλοκαιρινές εκπτώσεις", "Προσφορές κάθε μέρα", "Летняя распродажа", "مجموعة جديدة")
    images = [
        drawn(tmp_path / f"{number}.png", [(text, 20, 40, 40)], (800, 140))
        for number, text in enumerate(texts)
    ]
    source = Source(defaults.label.settings("ocr"))
    for _, given in source.load(runtime)(images):
        (item,) = source.read("id", given)
        assert isinstance(item, NoLabel) and item.reason.endswith(SCRIPTS), item


@pytest.mark.slow
def test_upright_text_has_the_answer_that_it_had_before_it_was_read_both_ways(
    sample: tuple[Path, list[Truth]], runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stored answers whose lines are all level and sure are kept: reading the image again gives the same."""
    folder, rows = sample
    images = [image_file(folder / row.path) for row in rows[:8]]
    answers = dict(ask(images, runtime))
    monkeypatch.setattr("text2image.labels.ocr.engine.in_doubt", lambda readings, upright: False)
    earlier = {image: {"lines": answer["lines"]} for image, answer in ask(images, runtime)}
    source = Source(settings())
    kept = {image for image, answer in earlier.items() if source.is_current(answer)}
    assert len(kept) >= 6
    assert all(answers[image]["lines"] == earlier[image]["lines"] for image in kept)
    assert [name for name, _ in source.ask(images, {image: earlier[image] for image in kept}, runtime)] == [
        image.image_id for image in images if image.image_id not in kept
    ]


def test_only_sure_level_lines_of_earlier_answers_are_kept() -> None:
    source = Source(settings())
    level, upright = [[0, 0], [90, 0], [90, 30], [0, 30]], [[0, 0], [30, 0], [30, 90], [0, 90]]
    sure, unsure = ({"text": "Sale", "confidence": value, "box": level} for value in (0.96, 0.94))
    assert source.is_current({"lines": [sure, sure]})
    assert not source.is_current({"lines": [sure, unsure]})
    assert not source.is_current({"lines": [sure, sure | {"box": upright}]})
    assert not source.is_current({"lines": []})
    assert source.is_current({"lines": [unsure], "both_ways": True})
    assert source.is_current({"failure": "anything"})


def answer(*lines: tuple[str, float, float]) -> dict[str, Any]:
    """An answer of lines ``(text, px, confidence)``, one below the other."""
    items, top = [], 0.0
    for text, px, confidence in lines:
        one = line(text, 0, top, px)
        items.append({"text": text, "confidence": confidence, "box": [list(corner) for corner in one.box]})
        top += px * 3
    return {"lines": items}


def read(given: dict[str, Any], **changed: Any) -> Label | NoLabel:
    (item,) = Source(settings(**changed)).read("id", given)
    return item


def test_choice_follows_the_parameters_without_asking_again() -> None:
    given = answer(("Small but certain words here", 20, 0.95), ("Large", 40, 0.7))
    stored_under = Source(settings()).determinants()
    for changed, expected in (
        ({"min_confidence": 0.5}, Label("id", "Large", 0.7)),
        ({"min_confidence": 0.8}, Label("id", "Small but certain words here", 0.95)),
        ({"min_characters": 8}, Label("id", "Small but certain words here", 0.95)),
        ({"min_confidence": 0.8, "max_words": 2}, Label("id", "Small but", 0.95)),
        ({"min_confidence": 0.99}, NoLabel("id", f"no text of label.ocr.min_confidence found in {SCRIPTS}")),
    ):
        assert read(given, **changed) == expected
        assert Source(settings(**changed)).determinants() == stored_under
    assert Source(settings(max_side=320)).determinants() != stored_under


def test_reasons() -> None:
    assert read(answer()) == NoLabel("id", f"no text found in {SCRIPTS}")
    assert read(answer(), language="th") == NoLabel("id", "no text found in 'th' (label.ocr.language)")
    assert read(answer(), model="own.onnx") == NoLabel(
        "id", "no text found that own.onnx reads (label.ocr.model)"
    )
    assert isinstance(read(answer(("-30%", 40, 0.99))), NoLabel)
    failure = "text recognition failed (error)"
    assert read({"failure": failure}) == NoLabel("id", failure)


@pytest.mark.parametrize(
    ("text", "max_words", "expected"),
    [
        ("夏のバーゲンセール開催中", 3, "夏のバーゲン"),
        ("新款iPhone手机上市", 2, "新款iPhone"),
        ("Buy one get one free", 3, "Buy one get"),
        ("한국어 여름 세일", 2, "한국어 여름"),
    ],
)
def test_phrases_are_cut_by_the_words_of_their_script(text: str, max_words: int, expected: str) -> None:
    assert read(answer((text, 40, 0.99)), max_words=max_words) == Label("id", expected, 0.99)


def test_words_are_counted() -> None:
    given = answer(("Own the game", 40, 0.99), ("- 40 % !", 20, 0.9), ("unsure words", 20, 0.1))
    assert Source(settings()).count_words(given) == 4
    assert Source(settings()).count_words({"failure": "anything"}) == 0


def test_one_image_does_not_end_the_run(
    runtime: Runtime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(models: Models, detector: Any) -> Any:
        def engine(pixels: Any, **steps: bool) -> Any:
            raise RuntimeError("an error in the engine")

        return engine

    monkeypatch.setattr("text2image.labels.ocr.engine.load_engine", broken)
    ((_, given),) = ask([drawn(tmp_path / "one.png", [])], runtime)
    assert given == {"failure": "text recognition failed (RuntimeError)", "transient": True}


@pytest.mark.usefixtures("own_cache", "offline")
def test_what_a_replaced_file_says_is_not_the_images(runtime: Runtime, tmp_path: Path) -> None:
    images = [drawn(tmp_path / f"{word}.png", [(word, 20, 40, 60)]) for word in ("GARDEN", "BICYCLE")]
    drawn(tmp_path / "BICYCLE.png", [("CAMERA", 20, 40, 60)])
    source = Source(settings())
    with pytest.raises(InputError, match=r"BICYCLE\.png as data/catalog\.csv lists it"):
        collect_answers("ocr", source, images, runtime)
    with Store(store_kind("ocr"), all_determinants(source)) as store:
        assert [key for key, _ in store.get(image.key for image in images)] == [images[0].key]
