"""What is sent to the workers of a cluster, without one."""

from pathlib import Path

import pytest

from text2image.cluster.workers import SourceOnCluster, shared_settings
from text2image.labels.ocr.source import Settings, Source

SETTINGS = Settings(min_confidence=0.9, min_characters=3, max_words=12, max_side=640)


def test_a_model_that_is_a_file_has_the_path_that_every_machine_uses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("own.onnx").touch()
    shared = shared_settings(SETTINGS.model_copy(update={"model": "own.onnx"}))
    assert shared == SETTINGS.model_copy(update={"model": str(tmp_path / "own.onnx")})
    assert shared_settings(SETTINGS) == SETTINGS


def test_stored_answers_are_judged_by_the_source() -> None:
    source = SourceOnCluster("ocr", Source(SETTINGS))
    assert source.is_current({"lines": [], "both_ways": True})
    assert not source.is_current({"lines": []})
