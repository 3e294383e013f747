"""One process at a time."""

from __future__ import annotations

from pathlib import Path

import pytest

from text2image.base.console import InputError
from text2image.base.lock import exclusive_lock


def test_a_lock_is_held_once_and_given_back(tmp_path: Path) -> None:
    store = tmp_path / "answers.sqlite"
    with exclusive_lock(store):
        with (
            pytest.raises(InputError, match=r"expected no other run .* holds .*answers\.lock"),
            exclusive_lock(store),
        ):
            pass
        with exclusive_lock(tmp_path / "other.sqlite"):
            pass
    with exclusive_lock(store):
        pass
