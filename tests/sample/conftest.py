"""The cut-outs that come with the project."""

from __future__ import annotations

import pytest

from tests.sample.files import CUTOUTS
from text2image.sample.cutouts import Cutout, read_cutouts


@pytest.fixture(scope="module")
def cutouts() -> list[Cutout]:
    return read_cutouts(CUTOUTS)
