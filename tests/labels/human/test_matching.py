"""Paths in every way in which computers write them mean their image; what is not sure means none."""

import unicodedata

import pytest

from text2image.collection.manifest import ManifestEntry
from text2image.labels.human.matching import (
    CONTRADICTION,
    NO_IMAGE,
    SEVERAL,
    ImagesByPath,
    Match,
    below_folder,
)

PATHS = ["0/img_1.jpg", "0/Café Zürich.jpg", "0/плакат.jpg", "1/a b.jpg", "1/50%25.jpg", "x.jpg", "1/x.jpg"]
IDS = {path: f"{number:016x}" for number, path in enumerate(PATHS)}
COLLECTION = ImagesByPath(ManifestEntry(image_id, path) for path, image_id in IDS.items())
NFC, NFD = (
    (lambda text: unicodedata.normalize("NFC", text)),
    (lambda text: unicodedata.normalize("NFD", text)),
)


def match(path: str, image_id: str = "", folder: str = "data/images") -> Match:
    return COLLECTION.match({"path": path, "image_id": image_id, "below": below_folder(path, folder)})


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "written",
    ["{}", "./{}", "images/{}", "data/images/{}", "./data//images/{}", "../data/images/{}", "/home/anna/images/{}",
     "/srv/data/images/{}", "C:/Users/anna/images/{}", "file:///home/anna/images/{}", "s3://bucket/images/{}"],
)  # fmt: skip
def test_a_path_means_its_image_however_it_is_written(path: str, written: str) -> None:
    for form in (NFC, NFD, lambda text: text.replace("/", "\\"), lambda text: text.replace(" ", "%20")):
        assert match(form(written.format(path))).image_id == IDS[path], form(written.format(path))


def test_a_collection_from_a_mac_is_found_too() -> None:
    collection = ImagesByPath([ManifestEntry("a", NFD("0/Zürich.jpg")), ManifestEntry("b", "0/a%20b.jpg")])
    for path, image_id in ((NFC("0/Zürich.jpg"), "a"), ("0/a b.jpg", "b"), ("0/a%20b.jpg", "b")):
        assert collection.match({"path": path, "image_id": "", "below": path}).image_id == image_id


def test_a_bare_name_means_the_one_image_that_has_it() -> None:
    assert match("Café Zürich.jpg").image_id == IDS["0/Café Zürich.jpg"]
    assert match("x.jpg").image_id == IDS["x.jpg"], "a path before a name"
    twins = ImagesByPath([ManifestEntry("a", "0/t.jpg"), ManifestEntry("b", "1/t.jpg")])
    assert twins.match({"path": "t.jpg", "image_id": "", "below": "t.jpg"}) == Match(None, SEVERAL)
    assert twins.match({"path": "t.jpg", "image_id": "b", "below": "t.jpg"}) == Match("b")
    three = ImagesByPath(
        [ManifestEntry("a", "0/t.jpg"), ManifestEntry("b", "1/t.jpg"), ManifestEntry("c", "u.jpg")]
    )
    assert three.match({"path": "t.jpg", "image_id": "c", "below": "t.jpg"}) == Match(None, CONTRADICTION)
    copies = ImagesByPath([ManifestEntry("a", "0/t.jpg"), ManifestEntry("a", "1/t.jpg")])
    assert copies.match({"path": "t.jpg", "image_id": "", "below": "t.jpg"}).image_id == "a"


@pytest.mark.parametrize(
    "path", ["validation/0/img_1.jpg", "/srv/other/0/img_1.jpg", "0/IMG_1.jpg", "0/img_9.jpg", ""]
)
def test_what_may_be_another_image_means_none(path: str) -> None:
    assert match(path) == Match(None, NO_IMAGE)


def test_foreign_ids_beside_a_good_path_are_ignored_with_a_word() -> None:
    assert match("0/img_1.jpg", "9000") == Match(IDS["0/img_1.jpg"], foreign_id=True)
    assert match("0/img_1.jpg", IDS["0/img_1.jpg"].upper()) == Match(IDS["0/img_1.jpg"])
    assert match("nowhere.jpg", IDS["0/img_1.jpg"]) == Match(IDS["0/img_1.jpg"])
    assert match("0/img_1.jpg", IDS["1/a b.jpg"]) == Match(None, CONTRADICTION)


def test_a_folder_within_one_of_the_same_name() -> None:
    assert below_folder("/home/images/project/data/images/images/a.jpg", "data/images") == "images/a.jpg"
    assert below_folder("images/a.jpg", ".") == "images/a.jpg"


def test_another_path_is_suggested_but_never_another_number() -> None:
    assert COLLECTION.suggest("0/IMG_1.JPG") == "0/img_1.jpg"
    assert COLLECTION.suggest("0/zürich.jpg") == "0/Café Zürich.jpg"
    assert COLLECTION.suggest("D:\\other\\1\\a b.jpg") == "1/a b.jpg"
    assert COLLECTION.suggest("0/img_9.jpg") is None
