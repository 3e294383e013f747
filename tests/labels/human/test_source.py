"""The label source ``human``: rows find their images by path or by id, and none is lost without a word."""

import json
import subprocess
from pathlib import Path

import pytest
import yaml

from stages import label_inputs
from stages.label import main as label_stage
from tests.support.pipeline import REPOSITORY
from text2image.artifacts import ARTIFACTS
from text2image.base.console import InputError
from text2image.collection.manifest import ImageFile, ManifestEntry
from text2image.formats.kinds import MAX_KIND, MAX_KINDS
from text2image.formats.tables import read_csv, write_csv
from text2image.labels.human.matching import CONTRADICTION, NO_IMAGE
from text2image.labels.human.source import COLUMNS, Settings, Source
from text2image.labels.protocol.labelling import Labelling, label_images
from text2image.labels.protocol.source import Inputs, Label, NoLabel
from text2image.params import Params, load_params

A, B = "a" * 16, "b" * 16
MANIFEST = [ManifestEntry(A, "0/x.jpg"), ManifestEntry(A, "1/copy of x.jpg"), ManifestEntry(B, "0/y.jpg")]
IMAGES = [ImageFile(A, Path("x")), ImageFile(B, Path("y"))]


def label(folder: Path, *rows: tuple[str, ...], params: Params) -> Labelling:
    """Label two images by rows of image_id, path, text and, where it has one, kind."""
    table = folder / "human.csv"
    cells = [(*row, "")[:4] for row in rows]
    write_csv(table, COLUMNS, [(line, *row, row[1]) for line, row in enumerate(cells, start=2)])
    return label_images(
        "human", Source(Settings(path="labels.csv")), IMAGES, Inputs(table, MANIFEST), params.runtime
    )


@pytest.fixture
def params(monkeypatch: pytest.MonkeyPatch) -> Params:
    monkeypatch.chdir(REPOSITORY)
    return load_params()


def test_by_path_copies_are_one_image(tmp_path: Path, params: Params) -> None:
    rows = [
        ("", "0/x.jpg", "shoe"),
        ("", "1/copy of x.jpg", "shoe"),
        ("", "1/copy of x.jpg", "boot"),
        ("", "X.jpg", "hat"),
    ]
    done = label(tmp_path, *rows, params=params)
    assert done.labels == [Label(A, "boot", None), Label(A, "shoe", None)]
    assert done.unlabelled == [
        NoLabel("X.jpg", NO_IMAGE),
        NoLabel(A, "text that the image has already"),
        NoLabel(B, "no text given"),
    ]


def test_by_image_id(tmp_path: Path, params: Params) -> None:
    done = label(tmp_path, (B, "", "hat"), ("c" * 16, "", "cap"), params=params)
    assert done.labels == [Label(B, "hat", None)]
    assert done.unlabelled == [NoLabel(A, "no text given"), NoLabel("c" * 16, NO_IMAGE)]


def test_kinds_are_normal_and_a_text_of_several_has_all(tmp_path: Path, params: Params) -> None:
    rows = [
        ("", "0/x.jpg", "shoe", " Product"),
        ("", "1/copy of x.jpg", "shoe", "headline; PRODUCT;"),
        ("", "0/y.jpg", "hat", " \u200b "),
        ("", "0/y.jpg", "cap", "old  stock"),
    ]
    done = label(tmp_path, *rows, params=params)
    assert [(one.text, one.kind) for one in done.labels] == [
        ("shoe", "headline; product"),
        ("cap", "old stock"),
        ("hat", ""),
    ]
    assert done.figures["kinds"] == {"headline": 1, "old stock": 1, "product": 1}
    assert "remarks" not in done.figures


def test_without_kinds_nothing_is_said_of_them(tmp_path: Path, params: Params) -> None:
    done = label(tmp_path, ("", "0/x.jpg", "shoe"), params=params)
    assert [one.kind for one in done.labels] == [""]
    assert "kinds" not in done.figures
    assert "remarks" not in done.figures


def test_what_is_too_long_for_a_kind_is_none_and_counted(tmp_path: Path, params: Params) -> None:
    rows = [
        ("", "0/x.jpg", "shoe", "k" * MAX_KIND),
        ("", "0/x.jpg", "boot", "long " * 9 + "; short"),
        ("", "0/y.jpg", "hat", "x" * (MAX_KIND + 1)),
    ]
    done = label(tmp_path, *rows, params=params)
    assert {one.text: one.kind for one in done.labels} == {"shoe": "k" * MAX_KIND, "boot": "short", "hat": ""}
    assert done.figures["remarks"] == [
        f"2 rows have a kind of more than 40 characters, which was ignored (first: line 3, {('long ' * 9).strip()})"
    ]


def test_a_column_that_means_something_else_is_ignored_and_said(tmp_path: Path, params: Params) -> None:
    for n in (MAX_KINDS, MAX_KINDS + 1):
        rows = [("", "0/x.jpg", f"text {number}", f"number {number}") for number in range(n)]
        done = label(tmp_path, *rows, params=params)
        assert len(done.labels) == n
        assert all(one.kind for one in done.labels) == (n <= MAX_KINDS)
    assert done.figures["remarks"] == [
        "the column kind of labels.csv holds 21 different words; expected at most 20 kinds of texts, so it was ignored"
    ]
    assert "kinds" not in done.figures


def test_no_row_is_lost_silently(tmp_path: Path, params: Params) -> None:
    """Every row is a label or is listed, and the first that names no image is named with what it may mean."""
    rows = [("", "0/x.jpg", f"text {n}") for n in range(30)]
    rows += [
        ("", "0/X.jpg", "hat"),
        (B, "0/x.jpg", "cap"),
        ("77", "0/y.jpg", "boot"),
        ("", "0/y.jpg", "boot"),
    ]
    done = label(tmp_path, *rows, params=params)
    assert len(done.labels) + len(done.unlabelled) == len(rows)
    assert done.figures["rows"] == 34
    assert done.figures["rows_without_image"] == 2
    assert done.figures["foreign_ids_ignored"] == 1
    assert done.figures["without_label"] == {
        NO_IMAGE: 1,
        CONTRADICTION: 1,
        "text that the image has already": 1,
    }
    assert done.figures["remarks"] == [
        "2 of 34 rows name no image for sure (first: line 32, 0/X.jpg; did you mean 0/x.jpg?)",
        "1 row has an image_id that is none of the collection's; its path names an image, so the image_id was "
        "ignored (line 34)",
    ]


def test_texts_that_are_cut_are_counted_and_listed(tmp_path: Path, params: Params) -> None:
    done = label(tmp_path, ("", "0/x.jpg", "word " * 100), ("", "0/y.jpg", "hat"), params=params)
    assert NoLabel(A, "text cut after 300 characters") in done.unlabelled
    assert done.figures["without_label"] == {"text cut after 300 characters": 1}
    assert done.figures["remarks"] == ["1 text is cut after 300 characters"]


def test_a_row_without_a_path_is_said_so(tmp_path: Path, params: Params) -> None:
    done = label(tmp_path, ("", "", "hat"), ("", "0/x.jpg", "cap"), params=params)
    assert done.figures["remarks"] == ["1 of 2 rows names no image (first: line 2, without a path)"]


def test_a_row_that_contradicts_itself_is_not_told_to_have_another_path(
    tmp_path: Path, params: Params
) -> None:
    done = label(tmp_path, (B, "0/x.jpg", "hat"), ("", "0/x.jpg", "cap"), params=params)
    assert done.figures["remarks"] == [
        f"1 of 2 rows names no image for sure (first: line 2, 0/x.jpg: {CONTRADICTION})"
    ]


def test_a_file_for_other_images_is_one_sentence(tmp_path: Path, params: Params) -> None:
    rows = [("", "elsewhere/0/y.jpg", "hat"), ("d" * 16, "", "cap")]
    with pytest.raises(
        InputError,
        match=r"data\.images.* in labels\.csv .* 2 of 2 rows name no image \(first: line 2, elsewhere/0/y\.jpg; did you "
        r"mean 0/y\.jpg\?\); paths are relative to data\.images",
    ):
        label(tmp_path, *rows, params=params)


def test_a_file_that_git_does_not_have_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`dvc exp run --temp` ends without a clear word where it is missing."""
    monkeypatch.chdir(tmp_path)
    path = Path("mine.csv")
    path.write_text("path,text\n0/x.jpg,hat\n")
    assert label_inputs.git_remark(path) == [], "no repository"
    subprocess.run(["git", "init", "-q"], check=True)
    (remark,) = label_inputs.git_remark(path)
    assert remark.startswith(
        "git does not have mine.csv (params key label.human.path): `git add mine.csv`, or"
    )
    subprocess.run(["git", "add", "mine.csv"], check=True)
    assert label_inputs.git_remark(path) == []
    Path(".gitignore").write_text("/theirs.csv\n")
    path.rename("theirs.csv")
    assert label_inputs.git_remark(Path("theirs.csv")) == []


def test_the_stages_say_it_in_the_console_and_in_the_metrics(
    tmp_path: Path, params: Params, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.csv").write_bytes(
        "Path;Kind;Text\nphotos\\0\\x.jpg;Product;grüne Tür\n0/nowhere.jpg;;hat\n".encode("cp1252")
    )
    raw = params.model_dump()
    raw["label"] |= {"sources": ["human"], "human": {"path": "mine.csv"}}
    Path("params.yaml").write_text(yaml.safe_dump(raw | {"data": {"images": "data/photos"}}))
    params = load_params()
    write_csv(ARTIFACTS.manifest, ManifestEntry._fields, MANIFEST)
    label_inputs.main(params)
    label_stage(params, "human")
    said = capsys.readouterr().err
    assert "mine.csv (params key label.human.path) is not UTF-8 and was read as Windows-1252" in said
    remark = "1 of 2 rows names no image (first: line 3, 0/nowhere.jpg)"
    assert f"label human: {remark}" in said
    assert json.loads(ARTIFACTS.label_metrics("human").read_text())["remarks"] == [remark]
    [row] = read_csv(ARTIFACTS.labels("human"), Label._fields)
    assert row == {"image_id": A, "text": "grüne Tür", "confidence": "", "kind": "product"}


@pytest.mark.parametrize("folder", ["creatives", r"C:\Users\anna\My%20ads"])
def test_a_folder_that_was_called_otherwise_is_named(folder: str, tmp_path: Path, params: Params) -> None:
    """Copied to data/images, as README.md says, while the captions call it what it was called before."""
    rows = [("", f"{folder}/{path}", "hat") for path in ("0/x.jpg", "0/y.jpg", "0/gone.jpg")]
    named = folder.replace("\\", "/").replace("%20", " ")
    with pytest.raises(
        InputError,
        match=rf"3 of 3 rows .* take {named}/ away .* 2 of 3 rows name one image; otherwise give a file",
    ):
        label(tmp_path, *rows, params=params)


@pytest.mark.parametrize(
    "paths", [("a/0/x.jpg", "b/0/y.jpg"), ("a/0/gone.jpg",), ("gone.jpg",), ("a/0/x.jpg", "")]
)
def test_no_folder_is_named_without_which_nothing_is_found(
    paths: tuple[str, ...], tmp_path: Path, params: Params
) -> None:
    with pytest.raises(InputError, match=r"data\.images: give a file for these images"):
        label(tmp_path, *(("", path, "hat") for path in paths), params=params)
