"""Where ``t2i report`` writes, and what it leaves alone."""

from pathlib import Path

import pytest

from text2image.artifacts import ARTIFACTS
from text2image.base.console import InputError
from text2image.commands.report import check_folder


def test_measured_speeds_are_in_no_reports_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    ARTIFACTS.throughput.parent.mkdir()
    ARTIFACTS.throughput.touch()
    check_folder(Path("report"), Path("report/report.html"))


def test_a_folder_with_other_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(InputError, match="found other files"):
        check_folder(tmp_path, tmp_path / "report.html")
    (tmp_path / "report.html").touch()
    check_folder(tmp_path, tmp_path / "report.html")
