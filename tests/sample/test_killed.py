"""A process that composes the sample is killed, as for want of memory: one sentence, and nothing half-made."""

import os
import signal
from pathlib import Path

import pytest

from text2image.base.console import InputError
from text2image.sample import compose
from text2image.sample.plan import Rendition


def killed() -> list[Rendition]:
    os.kill(os.getpid(), signal.SIGKILL)
    return []


def test_a_killed_process_is_one_sentence_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compose, "planned", lambda *arguments, **options: [killed] * 4)
    cutouts = Path(__file__).parents[2] / "sample" / "cutouts"
    with pytest.raises(
        InputError, match="found that one was killed, probably for want of memory; run it again"
    ):
        compose.write_sample(cutouts, tmp_path / "sample", campaigns=2, templates=2, seed=1, workers=2)
    assert list(tmp_path.iterdir()) == []
