"""Garbage is looked for again when many objects have been made."""

import gc

import pytest

from text2image.base.garbage import no_collection


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
