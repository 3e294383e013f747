"""Every test here works in a folder of its own."""

from pathlib import Path

import pytest

from tests.support.threads import one_thread  # noqa: F401  # for every test here


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, own_cache: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a folder of its own, with its own store."""
    monkeypatch.chdir(tmp_path)
