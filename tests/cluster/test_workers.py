"""What is sent to the workers of a cluster, without one."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.support.workplace import REPOSITORY
from text2image.cluster.workers import SourceOnCluster, shared_settings
from text2image.collection.manifest import ImageFile
from text2image.labels.ocr.source import Settings, Source
from text2image.params import load_params

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


@pytest.mark.parametrize(("on_gpus", "device"), [(None, "cpu"), (512, "cuda")])
def test_workers_that_claim_no_gpu_use_none(
    on_gpus: int | None, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else all of them would be on the first of a machine, whoever else was given it."""
    sent: list[str] = []

    def map_images(start: Any, images: Sequence[ImageFile], runtime: Any, most: Any) -> list[Any]:
        sent.append(runtime.device)
        return []

    monkeypatch.setattr("text2image.cluster.workers.map_images", map_images)
    source = SourceOnCluster("ocr", Source(SETTINGS))
    source.task_size = 32, on_gpus
    runtime = load_params(REPOSITORY / "params.yaml").runtime.model_copy(update={"device": "cuda"})
    list(source.load(runtime)([]))
    assert sent == [device]
