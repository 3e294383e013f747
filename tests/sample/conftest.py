"""The cut-outs that come with the project."""

from __future__ import annotations

from pathlib import Path

import pytest

from text2image.sample.cutouts import Cutout, read_cutouts

CUTOUTS = Path(__file__).parents[2] / "sample" / "cutouts"


@pytest.fixture(scope="module")
def cutouts() -> list[Cutout]:
    return read_cutouts(CUTOUTS)
