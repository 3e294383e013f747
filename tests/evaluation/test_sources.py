"""How label sources compare: literals and limits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from text2image.evaluation.sources import agreement, clip_scores, histogram, shared_share
from text2image.formats.files import keep_only

NORTH, EAST, SOUTH = ([0.0, 1.0], [1.0, 0.0], [0.0, -1.0])


def rows(*vectors: list[float]) -> np.ndarray:
    return np.array(vectors, dtype=np.float32)


def test_clip_score_by_hand() -> None:
    found = clip_scores(rows(NORTH, NORTH, NORTH, [0.6, 0.8]), rows(NORTH, EAST, SOUTH, NORTH))
    np.testing.assert_allclose(found, [2.5, 0.0, 0.0, 2.0], atol=1e-6)


def test_shared_share_counts_images_not_labels() -> None:
    assert shared_share({"a": ["x", "y"], "b": ["x", "x"], "c": ["z"], "d": ["y", "z"]}) == 0.5
    assert shared_share({}) == 0.0


def test_agreement_takes_the_most_similar_texts_of_each_image() -> None:
    first, second = {"a": [0], "b": [1], "c": [0]}, {"a": [0, 1], "b": [1]}
    images, same, apart = agreement(first, second, rows(NORTH, EAST), rows(EAST, NORTH))
    assert images == 2
    assert same == pytest.approx((1.0 + 0.0) / 2)  # a: north ~ north; b: east ~ north
    assert apart == pytest.approx((1.0 + 1.0) / 2)  # a with b's: north ~ north; b with a's: east ~ east


def test_agreement_needs_two_images() -> None:
    assert agreement({"a": [0]}, {"a": [0]}, rows(NORTH), rows(NORTH)) == (1, None, None)
    assert agreement({"a": [0]}, {"b": [0]}, rows(NORTH), rows(NORTH)) == (0, None, None)


def test_histogram_ends_with_all_that_is_larger() -> None:
    assert histogram([0, 2, 2, 9], 3) == [(0, 1), (1, 0), (2, 2), (3, 1)]


def test_keep_only_removes_leftovers_and_empty_folders(tmp_path: Path) -> None:
    for name in ("a/1.csv", "a/2.csv", "b/c/1.csv", "3.csv"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    keep_only(tmp_path, ["a/1.csv", "missing.csv"])
    assert sorted(tmp_path.rglob("*")) == [tmp_path / "a", tmp_path / "a" / "1.csv"]
