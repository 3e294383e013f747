"""The label source ``human``: rows find their images by path or by id, never by guesswork."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.pipeline import REPOSITORY
from text2image.base.console import InputError
from text2image.collection.manifest import ImageFile
from text2image.formats.tables import write_csv
from text2image.labels.human import source as human
from text2image.labels.protocol.source import Label, NoLabel
from text2image.params import load_params

FILES = [("a" * 16, "0/x.jpg"), ("a" * 16, "1/copy of x.jpg"), ("b" * 16, "0/y.jpg")]


def labelled(folder: Path, columns: list[str], rows: list[list[str]]) -> tuple[list[object], list[NoLabel]]:
    write_csv(folder / "data" / "manifest.csv", ["image_id", "path"], FILES)
    write_csv(folder / human.INPUT, columns, rows)
    labeler = human.labeler(load_params(REPOSITORY / "params.yaml"))
    images = [ImageFile("a" * 16, Path("x")), ImageFile("b" * 16, Path("y"))]
    found = [item for image_id, answer in labeler.ask(images) for item in labeler.read(image_id, answer)]
    return found, list(labeler.strays)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_by_path_copies_are_one_image(tmp_path: Path) -> None:
    rows = [["0/x.jpg", "shoe"], ["1/copy of x.jpg", "shoe"], ["1/copy of x.jpg", "boot"], ["X.jpg", "hat"]]
    found, strays = labelled(tmp_path, ["path", "text"], rows)
    assert found == [
        Label("a" * 16, "shoe", None),
        Label("a" * 16, "boot", None),
        NoLabel("b" * 16, "no text given"),
    ]
    assert strays == [NoLabel("X.jpg", "names no usable image")]


def test_by_image_id(tmp_path: Path) -> None:
    found, strays = labelled(tmp_path, ["text", "image_id"], [["hat", "b" * 16], ["cap", "c" * 16]])
    assert found[1] == Label("b" * 16, "hat", None)
    assert strays == [NoLabel("c" * 16, "names no usable image")]


def test_neither_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="path,text or image_id,text"):
        labelled(tmp_path, ["file", "text"], [["0/x.jpg", "shoe"]])
