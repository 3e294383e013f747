"""README.md quotes what the committed metrics say."""

from __future__ import annotations

import json

import pytest

from docs.readme import METRICS, README, ROOT, with_table


def test_the_table_is_the_one_that_the_metrics_make() -> None:
    text = README.read_text(encoding="utf-8")
    assert text == with_table(text, json.loads(METRICS.read_text(encoding="utf-8")))


def test_the_sample_stays_far_above_chance() -> None:
    human = json.loads(METRICS.read_text(encoding="utf-8"))["builtin"]["human"]
    assert human["hit_rate@5"] > 5 * human["chance"]["hit_rate@5"]


def test_every_picture_is_there() -> None:
    for line in README.read_text(encoding="utf-8").splitlines():
        if line.startswith("!["):
            path = line.rpartition("](")[2].rstrip(")")
            assert (ROOT / path).is_file(), path


def test_a_readme_without_markers_is_refused() -> None:
    with pytest.raises(ValueError, match="expected the markers"):
        with_table("text", {})
