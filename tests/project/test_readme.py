"""The documents quote what the committed metrics and benchmarks say."""

import json

import pytest

from benchmarks.table import GUIDE, between, markdown, read
from docs.readme import METRICS, QUOTED, README, ROOT, with_tables


def test_the_tables_are_those_that_the_metrics_and_the_benchmarks_make() -> None:
    text = README.read_text(encoding="utf-8")
    assert text == with_tables(text, json.loads(METRICS.read_text(encoding="utf-8")), read())
    guide = GUIDE.read_text(encoding="utf-8")
    assert guide == between(guide, markdown(read()))


def test_every_quoted_row_was_measured() -> None:
    assert QUOTED.keys() <= {(row.name, row.reference) for row in read()}


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
        with_tables("text", {}, [])
