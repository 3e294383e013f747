"""Atomic writes, figures and leftovers."""

from pathlib import Path

import numpy as np
import pytest

from text2image.formats.files import atomic_write, keep_only, rounded


def test_a_failing_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "out.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError), atomic_write(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_figures_are_rounded_deeply() -> None:
    value = {"a": [np.float32(0.1), 1 / 3], "b": {"c": np.int64(3)}, "d": "x"}
    assert rounded(value, 4) == {"a": [0.1, 0.3333], "b": {"c": 3}, "d": "x"}


def test_keep_only_removes_leftovers_and_empty_folders(tmp_path: Path) -> None:
    for name in ("a/1.csv", "a/2.csv", "b/c/1.csv", "3.csv"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    keep_only(tmp_path, [tmp_path / "a" / "1.csv", tmp_path / "missing.csv"])
    assert sorted(tmp_path.rglob("*")) == [tmp_path / "a", tmp_path / "a" / "1.csv"]


def test_keep_only_leaves_what_another_process_is_writing(tmp_path: Path) -> None:
    """Stages may run side by side, and each removes what is no longer listed before it starts."""
    path, killed = (
        tmp_path / "out.csv",
        tmp_path / f".other-{2**22 + 1}-k1ll3d.csv",
    )  # no system counts so far
    killed.touch()
    with atomic_write(path) as temporary:
        temporary.write_text("whole")
        keep_only(tmp_path, [path])
    assert path.read_text() == "whole"
    assert not killed.exists()


def test_keep_only_removes_links_and_not_what_they_lead_to(tmp_path: Path) -> None:
    folder, elsewhere = tmp_path / "folder", tmp_path / "elsewhere"
    for made in (folder, elsewhere):
        made.mkdir()
    (folder / "link").symlink_to(elsewhere)
    (folder / "dangling").symlink_to(tmp_path / "nothing")
    keep_only(folder, [])
    assert list(folder.iterdir()) == []
    assert elsewhere.is_dir()
