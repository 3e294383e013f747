"""Tests of torch side by side, each with a store of its own."""

import pytest

from tests.support.threads import one_thread  # noqa: F401  # for every test here


@pytest.fixture(autouse=True)
def _own_cache(own_cache: None) -> None:
    """Keep locks and answers out of the repository's cache."""
