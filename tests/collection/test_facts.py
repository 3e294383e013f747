"""The catalog reads a file once, and says the same as if it had read all of them."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from stages import catalog
from tests.support.workplace import REPOSITORY, picture
from text2image.base.console import InputError
from text2image.base.store import Store
from text2image.collection import facts
from text2image.collection.catalog import Entry, Reject, read_folder
from text2image.collection.facts import ReadFile
from text2image.collection.images import render
from text2image.collection.rendering import Rendered
from text2image.collection.scan import scan
from text2image.commands import catalog as catalog_command
from text2image.params import load_params

LIMIT = 10_000_000
LONG_AGO = 1_600_000_000
Catalog = Callable[[], tuple[list[Entry], list[Reject]]]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Ten pictures and two files that are none, all of which were left alone for years."""
    folder = tmp_path / "images"
    for number in range(10):
        (folder / str(number % 2)).mkdir(parents=True, exist_ok=True)
        picture(number).save(folder / str(number % 2) / f"{number}.png")
    (folder / "text.jpg").write_text("I am not a JPEG")
    (folder / "empty.jpg").touch()
    age(folder)
    return folder


def age(folder: Path, when: float = LONG_AGO) -> None:
    for path in folder.rglob("*"):
        os.utime(path, (when, when))


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths of the files that were read, as the test goes on."""
    paths: list[str] = []
    original = facts.read_file

    def recording(root: Path, max_pixels: int, item: tuple[str, facts.Verdict | None]) -> ReadFile:
        paths.append(item[0])
        return original(root, max_pixels, item)

    monkeypatch.setattr(facts, "read_file", recording)
    return paths


@pytest.fixture
def run(root: Path, tmp_path: Path) -> Catalog:
    """Catalog the folder with what earlier runs remembered, and hold the result against a cold run's."""

    def both() -> tuple[list[Entry], list[Reject]]:
        with Store("catalog", facts.determinants(root, LIMIT), tmp_path / "store") as store:
            warm = read_folder(root, LIMIT, scan(root), store)
        assert warm == read_folder(root, LIMIT, scan(root)), "a warm and a cold catalog differ"
        return warm

    return both


def test_only_new_and_changed_files_are_read(root: Path, run: Catalog, read: list[str]) -> None:
    first, rejects = run()
    assert len(first) == 10
    assert rejects == [Reject("empty.jpg", "empty file"), Reject("text.jpg", "not an image")]
    picture(20).save(root / "0" / "new.png")
    picture(21).save(root / "0" / "2.png")
    (root / "0" / "4.png").rename(root / "1" / "moved.png")
    (root / "1" / "1.png").unlink()
    os.utime(root / "1" / "3.png", (LONG_AGO + 1, LONG_AGO + 1))
    read.clear()
    second, _ = run()
    warm = read[: -(len(second) + 2)]  # the cold run that follows reads everything
    assert sorted(warm) == ["0/2.png", "0/new.png", "1/3.png", "1/moved.png"]
    assert {entry.path for entry in second} ^ {entry.path for entry in first} == {
        "0/4.png", "1/moved.png", "1/1.png", "0/new.png",
    }  # fmt: skip


def test_a_file_of_another_size_or_inode_is_read(root: Path, run: Catalog) -> None:
    run()
    for number, path in ((20, "0/0.png"), (21, "0/2.png")):
        draft = root / "draft"
        picture(number).save(draft, "PNG")
        draft.replace(root / path)  # another inode, the old time
    age(root)
    run()


def test_a_file_that_changes_twice_within_a_granule_is_read_again(
    root: Path, run: Catalog, read: list[str]
) -> None:
    """Size, time and inode stay the same: only its youth says that it is not to be trusted."""
    path, now = root / "0" / "0.png", time.time()
    picture(20).resize((8, 8)).save(path, "BMP")
    os.utime(path, (now, now))
    before, _ = run()
    with path.open("r+b") as file:
        file.seek(60)
        file.write(b"\0\xff\0")
    os.utime(path, (now, now))
    after, _ = run()
    assert before[0].path == after[0].path == "0/0.png"
    assert before[0].image_id != after[0].image_id


def test_unreadable_files_are_tried_again(
    root: Path, run: Catalog, read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    original = Path.read_bytes

    def denied(path: Path) -> bytes:
        if path.name == "0.png":
            raise PermissionError(13, "Permission denied", str(path))
        return original(path)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", denied)
        assert Reject("0/0.png", "unreadable (Permission denied)") in run()[1]
    assert "0/0.png" in {entry.path for entry in run()[0]}


def test_processes_say_the_same_as_threads(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    threads = read_folder(root, LIMIT, scan(root))
    monkeypatch.setattr(facts, "FEW", 1)
    assert read_folder(root, LIMIT, scan(root)) == threads


def test_a_killed_catalog_keeps_what_it_read(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read: list[str]
) -> None:
    monkeypatch.setattr(facts, "KEPT_AT_ONCE", 3)
    seen = []

    def fragile(content: bytes, max_pixels: int) -> Rendered:
        seen.append(content)
        if len(seen) == 8:
            raise KeyboardInterrupt
        return render(content, max_pixels)

    with Store("catalog", {}, tmp_path / "store") as store:
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(facts, "render", fragile)
            patch.setattr(os, "cpu_count", lambda: 1)
            read_folder(root, LIMIT, scan(root), store)
        read.clear()
        found, _ = read_folder(root, LIMIT, scan(root), store)
    assert len(found) == 10
    assert len(read) <= 12 - 6


def test_other_limits_and_folders_are_remembered_apart(root: Path) -> None:
    here = facts.determinants(root, LIMIT)
    assert here != facts.determinants(root, LIMIT - 1)
    assert here != facts.determinants(root / "0", LIMIT)
    assert here.keys() == {"images", "max_pixels", "decoding", "facts", "packages"}


@pytest.fixture
def place(root: Path, tmp_path: Path, own_cache: None, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which the stage runs without DVC."""
    params = yaml.safe_load((REPOSITORY / "params.yaml").read_text())
    params["data"]["images"] = "images"
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def stage() -> None:
    catalog.main(load_params())


def outputs(place: Path) -> dict[str, bytes]:
    paths = [*place.glob("data/*"), *place.glob("plots/*"), *place.glob("metrics/*")]
    return {path.name: path.read_bytes() for path in paths}


def test_a_warm_run_writes_the_bytes_of_a_cold_one(place: Path, root: Path) -> None:
    stage()
    picture(30).save(root / "new.png")
    stage()
    warm = outputs(place)
    assert len(warm) == 5
    for path in place.glob(".cache/catalog/*"):
        path.unlink()
    stage()
    assert outputs(place) == warm


def test_verifying_finds_what_no_time_stamp_tells(
    place: Path, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture(20).save(root / "0" / "0.bmp")
    age(root)
    stage()
    catalog_command.main(["--verify"])
    assert "13 of 13 files are remembered" in capsys.readouterr().err
    with (root / "0" / "0.bmp").open("r+b") as file:
        picture(21).save(file, "BMP")
    age(root)
    written = outputs(place)
    stage()
    assert outputs(place) == written, "nothing tells that the file changed"
    with pytest.raises(InputError, match=r"found 1 others, such as 0/0\.bmp; DVC overlooks them too"):
        catalog_command.main(["--verify"])
    assert outputs(place) == written
    stage()
    assert outputs(place) != written
