"""Garbage is looked for again when many objects have been made, and pages return the memory of pictures."""

import gc

import pytest

from text2image.base import memory
from text2image.base.memory import no_collection


def test_blocks_may_be_nested_and_may_fail() -> None:
    assert gc.isenabled()
    with no_collection():
        with pytest.raises(ZeroDivisionError), no_collection():
            raise ZeroDivisionError
        assert not gc.isenabled()
    assert gc.isenabled()


def test_a_function_may_be_decorated() -> None:
    @no_collection()
    def enabled() -> bool:
        return gc.isenabled()

    assert [enabled(), enabled(), gc.isenabled()] == [False, False, True]


def test_a_process_that_serves_pages_goes_on_returning_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """What loads a model for a page would otherwise keep the pictures of all threads."""
    asked: list[dict[int, int]] = []
    monkeypatch.setattr(memory, "_set_options", asked.append)
    monkeypatch.setattr(memory, "_returns", False)
    memory.keep_freed_memory()
    memory.return_freed_memory()
    memory.keep_freed_memory()
    assert [memory.M_ARENA_MAX in options for options in asked] == [False, True]
