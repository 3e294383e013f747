"""The label source ``human``: rows find their images by path or by id, never by guesswork."""

from pathlib import Path

import pytest

from text2image.base.console import InputError
from text2image.collection.manifest import ImageFile, ManifestEntry
from text2image.formats.tables import write_csv
from text2image.labels.human.source import Settings, Source
from text2image.labels.protocol.labelling import clean
from text2image.labels.protocol.source import Inputs, Label, NoLabel

MANIFEST = [
    ManifestEntry("a" * 16, "0/x.jpg"),
    ManifestEntry("a" * 16, "1/copy of x.jpg"),
    ManifestEntry("b" * 16, "0/y.jpg"),
]
IMAGES = [ImageFile("a" * 16, Path("x")), ImageFile("b" * 16, Path("y"))]


def label(folder: Path, columns: list[str], rows: list[list[str]]) -> tuple[list[Label], list[NoLabel]]:
    table = folder / "human.csv"
    write_csv(table, columns, rows)
    return clean(Source(Settings(path="labels.csv")).label(IMAGES, Inputs(table, MANIFEST)))


def test_by_path_copies_are_one_image(tmp_path: Path) -> None:
    rows = [["0/x.jpg", "shoe"], ["1/copy of x.jpg", "shoe"], ["1/copy of x.jpg", "boot"], ["X.jpg", "hat"]]
    labels, unlabelled = label(tmp_path, ["path", "text"], rows)
    assert labels == [Label("a" * 16, "boot", None), Label("a" * 16, "shoe", None)]
    assert unlabelled == [NoLabel("X.jpg", "names no usable image"), NoLabel("b" * 16, "no text given")]


def test_by_image_id(tmp_path: Path) -> None:
    labels, unlabelled = label(tmp_path, ["text", "image_id"], [["hat", "b" * 16], ["cap", "c" * 16]])
    assert labels == [Label("b" * 16, "hat", None)]
    assert unlabelled == [NoLabel("a" * 16, "no text given"), NoLabel("c" * 16, "names no usable image")]


def test_a_file_for_other_images_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"data\.images.* in labels\.csv .*found 2 rows .*such as c{16}"):
        label(tmp_path, ["text", "image_id"], [["hat", "c" * 16], ["cap", "d" * 16]])


def test_neither_column_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="path,text or image_id,text"):
        label(tmp_path, ["file", "text"], [["0/x.jpg", "shoe"]])


def test_no_row_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="only a header"):
        label(tmp_path, ["path", "text"], [])
