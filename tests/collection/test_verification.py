"""Shortcuts of the verification of pairs tell apart only what the whole comparison tells apart."""

from itertools import combinations

import pytest

from tests.support.templated import ads
from text2image.collection import verification
from text2image.collection.verification import COARSE_AREA, DOUBTFUL_STRUCTURE, differences, thumbnail

MADE = ads(6, templates=4, of_each=4, copies=8)
PAIRS = list(combinations(range(len(MADE)), 2))


def test_the_patch_that_differs_most_bounds_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = [thumbnail(ad.image) for ad in MADE]
    some = [(first, second) for first, second in PAIRS if pictures[first].shape == pictures[second].shape]
    short = [differences(pictures[first], pictures[second]) for first, second in some]
    monkeypatch.setattr(verification, "PATCH", 10**6)
    whole = [differences(pictures[first], pictures[second]) for first, second in some]
    assert sum(found.structure > DOUBTFUL_STRUCTURE for found in short) > 10
    for found, full in zip(short, whole, strict=True):
        if found.structure > DOUBTFUL_STRUCTURE:
            assert full.structure >= found.structure - 1e-5
        else:
            assert found == full


def test_no_copy_is_told_from_its_picture_by_small_thumbnails() -> None:
    small = [thumbnail(ad.image, COARSE_AREA) for ad in MADE]
    copies = [(one, other) for one, other in PAIRS if MADE[one].shows == MADE[other].shows]
    assert len(copies) >= 8
    for one, other in copies:
        assert not verification.differ_clearly(small[one], small[other], 28.0)
