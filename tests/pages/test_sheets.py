"""What sheets of pictures show: which pictures, in which rows, with which words."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageColor

from tests.support.pictures import image_file
from text2image.collection.images import open_image
from text2image.collection.manifest import ImageFile
from text2image.evaluation.examples import Picture
from text2image.evaluation.labels import audit
from text2image.formats.fields import FieldText
from text2image.formats.tables import Row
from text2image.pages import theme
from text2image.pages.sheets import dataset, labels
from text2image.pages.sheets.dataset import dataset_sheet, group_strips, near_identical_sheet
from text2image.pages.sheets.examples import ALIKE, COLUMNS, NONE_TO_COMPARE, examples_sheets, notes
from text2image.pages.sheets.labels import audit_sheet, labels_sheet, one_an_image, spread
from text2image.pages.sheets.sheet import (
    CELL,
    FRAME,
    LINE,
    MARGIN,
    NOTE_LINES,
    Bar,
    Cell,
    Sheet,
    Strip,
    draw_sheet,
    save_sheet,
)
from text2image.retrieval.systems.scorer import Match, Part, Why, why_json


@pytest.fixture
def images(tmp_path: Path) -> dict[str, ImageFile]:
    """A gallery of seven images, of one colour each."""
    paths = {name: tmp_path / f"{name}.png" for name in "abcdefg"}
    for number, path in enumerate(paths.values()):
        Image.new("RGB", (40, 20), (number * 30, 0, 0)).save(path)
    return {name: image_file(path) for name, path in paths.items()}


def pictures(
    sheet: str,
    system: str,
    text: str,
    own: int = 6,
    labelled: str = "1",
    circular: str = "0",
    why: str = "{}",
) -> list[Row]:
    """The rows of one query: the image that it was made from, at rank ``own``, then the first five."""
    places = enumerate("a" + "abcde")
    return [
        dict(zip(COLUMNS, (sheet, system, f"q{text}", text, "2", "3", "7", "-0.05049", *rest), strict=True))
        for place, image in places
        for score in ["" if place == 0 else f"{1 - place / 10}"]
        for rest in [
            (str(place), image, str(place or own), score, str(int(image in "ab")), labelled, circular, why)
        ]
    ]


def strips_of(sheet: Sheet) -> list[tuple[str, list[str]]]:
    return [(strip.heading, [cell.caption for cell in strip.cells]) for strip in sheet.strips]


def test_examples_of_one_model_are_its_best_and_worst_queries(images: dict[str, ImageFile]) -> None:
    rows = [*pictures("best", "m", "shoe"), *pictures("best", "m", "hat"), *pictures("worst", "m", "cow")]
    sheets = dict(examples_sheets("human", rows, images))
    assert list(sheets) == ["m-best", "m-worst"], "no sheet of differences where there is one model"
    scores = ["0.900", "0.800", "0.700", "0.600", "0.500"]
    captions = ["rank 6", *(f"{place} · score {score}" for place, score in enumerate(scores, start=1))]
    assert strips_of(sheets["m-best"]) == [("“shoe”", captions), ("“hat”", captions)]
    assert sheets["m-worst"].title == "Worst queries: m on human labels"
    strip = sheets["m-worst"].strips[0]
    assert (
        strip.detail
        == "first relevant image at rank 3 of 7 · 2 relevant images · margin over the best irrelevant one -0.050"
    )
    assert [cell.relevant for cell in strip.cells] == [True, True, True, False, False, False]
    assert strip.apart == (1,)
    other = dict(examples_sheets("human", pictures("best", "m", "shoe", labelled="0"), images))["m-best"]
    assert other.strips[0].cells[0].caption == "best relevant, rank 6", "its own images are not searched"


def test_small_scores_and_shares_are_shown_with_places_enough_to_differ(images: dict[str, ImageFile]) -> None:
    why = why_json(Why(parts=(Part("vision", 0.0161), Part("words", 0.0159))))
    rows = pictures("best", "ranks", "shoe", why=why)
    for row in rows[1:]:
        row["score"] = f"{0.033 - int(row['place']) / 10_000}"
    cells = dict(examples_sheets("human", rows, images))["ranks-best"].strips[0].cells
    assert [cell.caption for cell in cells[1:3]] == ["1 · score 0.03290", "2 · score 0.03280"]
    assert [bar.figure for bar in cells[0].bars] == ["+0.0161", "+0.0159"]


def test_examples_of_several_models_show_where_they_differ(images: dict[str, ImageFile]) -> None:
    rows = [row for model in "xy" for kind in ("best", "worst") for row in pictures(kind, model, "shoe")]
    differ = [*pictures("instructive", "y", "shoe"), *pictures("instructive", "x", "shoe")]
    sheets = dict(examples_sheets("human", rows + differ, images))
    assert list(sheets) == ["x-best", "x-worst", "y-best", "y-worst", "instructive"]
    assert [heading for heading, _ in strips_of(sheets["instructive"])] == ["y: “shoe”", "x: “shoe”"]
    alike = dict(examples_sheets("human", rows, images))["instructive"]
    assert strips_of(alike) == [(ALIKE, [])]
    assert alike.subtitle == "", "there is nothing to read"


def test_a_sheet_shows_why_an_image_is_where_it_is(images: dict[str, ImageFile]) -> None:
    """Words that matched on the picture, shares as bars, the view and the grade; a system that says nothing, nothing."""
    line = FieldText("a", "SUMMER SALE", 0.99, ((4, 2), (36, 2), (36, 8), (4, 8)))
    caption = FieldText("a", "a red shoe on sale")
    matches = Match("ocr", line, ("SALE",)), Match("caption", caption, ("sale",))
    why = Why(matches, (Part("vision", -0.5), Part("words", 2.0)), "tile 2 of 3", "3", "Shows the shoe.")
    rows = pictures("best", "both", "sale", why=why_json(why))
    [strip] = dict(examples_sheets("human", rows, images))["both-best"].strips
    cell = strip.cells[1]
    assert [mark.text for mark in cell.marks] == ["SALE"]
    assert cell.bars == [Bar("vision", "-0.50", 0.2, 0.0), Bar("words", "+2.00", 0.2, 1.0)]
    assert cell.notes == ["found “SALE”, caption: “sale”", "by tile 2 of 3", "grade 3: Shows the shoe."]
    [plain] = dict(examples_sheets("human", pictures("best", "m", "sale"), images))["m-best"].strips
    assert (plain.cells[1].marks, plain.cells[1].bars, plain.cells[1].notes) == ([], [], [])
    whole = Why(view="whole")
    assert notes(whole) == [], "goes without saying"


def drawn(*cells: Cell) -> np.ndarray:
    return np.asarray(draw_sheet(Sheet("t", "s", [Strip("h", "d", cells)])))


def test_bars_and_notes_stand_below_the_caption_and_make_room() -> None:
    image = Image.new("RGB", (40, 20))
    plain, told = (
        Cell(image, "one"),
        Cell(image, "one", bars=[Bar("a", "+1.00", 0.4, 1.0), Bar("b", "-0.50", 0.4, 0.1)]),
    )
    added = drawn(told).shape[0] - drawn(plain).shape[0]
    assert added == 2 * LINE
    assert drawn(told, plain).shape[0] == drawn(told).shape[0], "as much as the cell that needs most"
    page = drawn(told)
    lengths = [
        int((page == ImageColor.getrgb(colour)).all(axis=2).any(axis=0).sum())
        for colour in (theme.SHARE, theme.AGAINST)
    ]
    assert 0 < lengths[1] < lengths[0]
    noted = drawn(Cell(image, "one", notes=["a word", "many words " * 30]))
    assert noted.shape[0] - drawn(plain).shape[0] == (1 + NOTE_LINES) * LINE, "long notes are cut"


def test_labels_are_spread_from_common_to_rare_and_by_confidence(images: dict[str, ImageFile]) -> None:
    labels = [
        {"image_id": image, "text": "same" if image < "d" else f"only {image}", "confidence": f"0.{number}"}
        for number, image in enumerate("abcdefg", start=1)
    ]
    labels.append({"image_id": "a", "text": "another", "confidence": "0.05"})
    confident, common, rest = labels_sheet("imagenet", labels, images).strips
    assert [cell.caption[:4] for cell in confident.cells] == ["0.70", "0.60", "0.50", "0.30", "0.20", "0.10"]
    assert common.cells[0].caption == "0.10 · same / another"
    assert [heading for heading in (common.heading, rest.heading) if heading] == ["By how common the text is"]
    unsure = [row | {"confidence": ""} for row in labels]
    assert labels_sheet("human", unsure, images).strips[0].cells[0].caption == "same / another"


def test_a_spread_has_both_ends() -> None:
    labels = [{"image_id": str(number)} for number in range(10)]
    assert [label["image_id"] for label in spread(labels, 4)] == ["0", "3", "6", "9"]
    assert spread(labels, 20) == labels
    assert one_an_image([*labels, *labels]) == labels


def catalog(images: dict[str, ImageFile], **group_of: str) -> list[Row]:
    """Rows of the catalog: of each image the folder and the group that its value names, as in ``"0 g"``."""
    return [
        {
            "path": f"{name}.png",
            "image_id": images[name].image_id,
            "rendering": "",
            "width": "40",
            "height": "20",
            "blank": "0",
        }
        | dict(zip(("folder", "near_group"), value.split(), strict=True))
        for name, value in group_of.items()
    ]


def test_blank_images_are_counted_on_the_sheet(images: dict[str, ImageFile], tmp_path: Path) -> None:
    files = catalog(images, a="0 g", b="1 h", c="0 i")
    assert "blank" not in dataset_sheet(tmp_path, files).subtitle
    files[1]["blank"] = "1"
    assert "1 image is blank (one colour), see data/catalog.csv" in dataset_sheet(tmp_path, files).subtitle
    files[2]["blank"] = "1"
    assert "2 images are blank (one colour), see data/catalog.csv" in dataset_sheet(tmp_path, files).subtitle


def test_every_group_of_near_duplicates_is_shown(images: dict[str, ImageFile], tmp_path: Path) -> None:
    files = catalog(images, a="0 g", b="1 g", c="0 h", d="0 h", e="0 h", f="1 alone")
    files.append(files[0] | {"path": "copy.png", "folder": "1"})
    sheet = near_identical_sheet(tmp_path, files)
    assert strips_of(sheet) == [
        ("In several folders", ["a.png", "b.png"]),
        ("In one folder", ["c.png", "d.png", "e.png"]),
    ], "the copy of a is no image of its own"
    assert sheet.subtitle.startswith("2 groups, 5 images · ")
    assert [strip.detail for strip in sheet.strips] == ["1 group, 2 images", "1 group, 3 images"]
    none = near_identical_sheet(tmp_path, catalog(images, a="0 g", b="0 h"))
    assert (none.strips, none.subtitle[:18]) == ([], "0 groups, 0 images")


def test_groups_stand_apart_and_whole_in_rows(images: dict[str, ImageFile], tmp_path: Path) -> None:
    groups = [catalog(images, **dict.fromkeys(some, "0 g")) for some in ("abc", "def", "abc", "ab")]
    strips = group_strips(tmp_path, groups, "heading", "detail")
    assert [len(strip.cells) for strip in strips] == [8, 3]
    assert [list(strip.apart) for strip in strips] == [[3, 6], []], "the pair fills the first row"
    assert [strip.heading for strip in strips] == ["heading", ""]
    [large] = group_strips(tmp_path, [catalog(images, **dict.fromkeys("abcdefg", "0 g")) * 2], "", "")
    assert [cell.caption for cell in large.cells] == [*(f"{name}.png" for name in "abcdefg"), "and 7 more"]


def test_banners_are_wide_and_their_rows_low(images: dict[str, ImageFile], tmp_path: Path) -> None:
    Image.new("RGB", (400, 50), (200, 0, 0)).save(tmp_path / "a.png")
    banner = image_file(tmp_path / "a.png")
    files = catalog(images | {"a": banner}, a="0 g", b="0 g")
    files[0] |= {"width": "400", "height": "50"}
    wide, usual = [files[0], files[0]], [files[1], files[1]]
    for group, columns, height in (wide, 2, 56), (usual, 1, 94), ([*wide, *wide, *wide], 1, 52):
        [strip] = group_strips(tmp_path, [group], "", "")
        assert {cell.columns for cell in strip.cells} == {columns}
        assert strip.height == height
    low, high = (draw_sheet(Sheet("t", "s", group_strips(tmp_path, [g], "", ""))) for g in (wide, usual))
    assert high.height - low.height == 94 - 56


def test_of_hundreds_of_groups_it_says_how_many_are_not_shown(
    images: dict[str, ImageFile], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dataset, "MAX_GROUPS", 2)
    files = catalog(images, a="0 g", b="1 g", c="0 h", d="0 h", e="0 i", f="0 i")
    strips = near_identical_sheet(tmp_path, files).strips
    assert [(strip.detail, len(strip.cells)) for strip in strips] == [
        ("1 group, 2 images", 2),
        ("2 groups, 4 images · 1 more is in data/catalog.csv (near_group)", 2),
    ]


def test_suspicious_labels_stand_in_their_order_whatever_is_found_of_them(
    images: dict[str, ImageFile],
) -> None:
    kinds = ["no_image_fits", "other_image_fits", "", *4 * ["models_differ"]]
    findings = [
        {"image_id": image, "text": f"t{image}", "finding": kind, "why": "it ranks low"}
        for image, kind in zip("abcdefg", kinds, strict=True)
    ]
    sheet = audit_sheet("human", findings, images, "data/audit/human.csv")
    assert [(strip.heading, len(strip.cells)) for strip in sheet.strips] == [("Unlikely labels", 5), ("", 2)]
    captions = [cell.caption for strip in sheet.strips for cell in strip.cells]
    assert captions[:3] == [
        "“ta”: no image fits well; it ranks low",
        "“tb”: another image fits well; it ranks low",
        "“tc”: it ranks low",
    ]
    assert [caption[1:3] for caption in captions] == ["ta", "tb", "tc", "td", "te", "tf", "tg"]
    assert sheet.subtitle.startswith("the most suspicious of 7 labels")


def test_a_relevant_picture_is_framed(images: dict[str, ImageFile]) -> None:
    cells = [Cell(open_image(images["a"]), "yes", relevant=True), Cell(open_image(images["a"]), "no")]
    page = np.asarray(draw_sheet(Sheet("t", "s", [Strip("h", "d", cells)])))
    colour = np.array([int(theme.RELEVANT[i : i + 2], 16) for i in (1, 3, 5)])
    columns = np.flatnonzero((page == colour).all(axis=2).any(axis=0))
    assert columns.min() == MARGIN
    assert columns.max() == MARGIN + CELL - 1
    framed = (page == colour).all(axis=2)[:, MARGIN : MARGIN + FRAME].all(axis=1)
    assert framed.sum() == CELL


def test_long_words_and_control_characters_stay_within_the_sheet(tmp_path: Path) -> None:
    text = "word\x1b[31m\u202e" * 200
    cells = [Cell(None), Cell(Image.new("RGB", (3000, 1)), text)]
    save_sheet(tmp_path / "new" / "sheet.png", Sheet(text, text, [Strip(text, text, cells, caption_lines=3)]))
    with Image.open(tmp_path / "new" / "sheet.png") as page:
        assert page.size == draw_sheet(Sheet("t", "s", [Strip("h", "d", cells, caption_lines=3)])).size


def test_a_sheet_without_strips_says_so() -> None:
    empty, blank = draw_sheet(Sheet("t", "s", [])), draw_sheet(Sheet("t", "s", [Strip("", "", [])]))
    assert np.any(np.asarray(empty)[100:160] < 128)
    assert not np.any(np.asarray(blank)[110:160] < 128)


def test_the_columns_are_those_that_evaluate_writes() -> None:
    assert Picture._fields == COLUMNS


def test_every_finding_of_the_audit_has_its_words() -> None:
    """The sheets name them themselves: the stages that draw depend on no evaluation."""
    assert labels.FINDINGS.keys() == set(audit.FINDINGS)


def test_sheets_of_a_circular_pair_say_so(images: dict[str, ImageFile]) -> None:
    rows = [*pictures("best", "m", "shoe", circular="1"), *pictures("best", "n", "shoe")]
    sheets = dict(examples_sheets("imagenet", rows, images))
    assert sheets["m-best"].title == "Best queries: m (circular) on imagenet labels"
    assert "even wrong labels are found first" in sheets["m-best"].subtitle
    assert sheets["n-best"].title == "Best queries: n on imagenet labels"
    assert [strip.heading for strip in sheets["instructive"].strips] == [NONE_TO_COMPARE], (
        "there is one model to compare"
    )
