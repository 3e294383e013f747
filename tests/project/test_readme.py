"""The documents quote what the committed metrics and benchmarks say."""

import json
from typing import Any

import pytest
from PIL import Image

from benchmarks import views
from benchmarks.table import GUIDE, between, markdown, read
from docs.readme import METRICS, QUOTED, README, ROOT, end_of_rows, kinds, with_tables
from text2image.pages.sheets.sheet import MARGIN, Cell, Sheet, Strip, draw_sheet


def test_the_tables_are_those_that_the_metrics_and_the_benchmarks_make() -> None:
    text = README.read_text(encoding="utf-8")
    assert text == with_tables(text, json.loads(METRICS.read_text(encoding="utf-8")), read())
    guide = GUIDE.read_text(encoding="utf-8")
    assert guide == between(guide, markdown(read()))


def test_the_table_of_views_is_what_was_measured() -> None:
    guide, rows = views.GUIDE.read_text(encoding="utf-8"), views.read()
    assert len({row["collection"] for row in rows}) >= 2, "the sample and a second collection"
    assert guide == between(guide, views.markdown(rows), views.BEGIN, views.END)


def test_every_quoted_row_was_measured() -> None:
    assert QUOTED.keys() <= {(row.name, row.reference) for row in read()}


def test_the_sample_stays_far_above_chance() -> None:
    of_systems = [row["human"] for row in json.loads(METRICS.read_text(encoding="utf-8")).values()]
    best = max(row["hit_rate@5"] for row in of_systems)
    assert best > 5 * of_systems[0]["chance"]["hit_rate@5"]


def of_kind(value: float, low: float | None, high: float | None) -> dict[str, Any]:
    ends = {"hit_rate@5_low": low, "hit_rate@5_high": high}
    return {"n_queries": 7, "hit_rate@5": value, **ends, "chance": {"hit_rate@5": 0.04}}


def test_the_first_table_has_a_row_a_system_and_a_column_a_kind() -> None:
    found = {
        "sees": {
            "product": of_kind(0.5, 0.4, 0.6),
            "headline": of_kind(0.1, 0.0, 0.2),
            "old": of_kind(1.0, None, None),
        },
        "reads": {
            "product": of_kind(0.3, 0.2, 0.4),
            "headline": of_kind(0.9, 0.85, 0.95),
            "old": of_kind(0.9, None, None),
        },
        "fused": {
            "product": of_kind(0.45, 0.3, 0.6),
            "headline": of_kind(0.8, 0.7, 0.9),
            "old": of_kind(1.0, None, None),
        },
    }
    metrics = {name: {"human": {"kinds": row}, "ocr": {}} for name, row in found.items()} | {
        "other": {"ocr": {}}
    }
    assert kinds(metrics).splitlines() == [
        "| what people remember of an advertisement | the product (7 queries) | the words (7 queries) | old (7 queries) |",
        "| --- | ---: | ---: | ---: |",
        "| `sees` | 50 % [40, 60] | 10 % [0, 20] | 100 % |",
        "| `reads` | 30 % [20, 40] | 90 % [85, 95] | 90 % |",
        "| `fused` | 45 % [30, 60] | 80 % [70, 90] | 100 % |",
        "| by chance | 4 % | 4 % | 4 % |",
        "",
        "Best by the product: `sees` or `fused`; by the words: `reads`; by old: `sees` or `fused`.",
    ]
    assert kinds({"other": {"human": {}}}) == ""


def test_every_picture_is_there() -> None:
    for line in README.read_text(encoding="utf-8").splitlines():
        if line.startswith("!["):
            path = line.rpartition("](")[2].rstrip(")")
            assert (ROOT / path).is_file(), path


def test_a_readme_without_markers_is_refused() -> None:
    with pytest.raises(ValueError, match="expected the markers"):
        with_tables("text", {}, [])


def test_pictures_end_where_a_query_ends() -> None:
    strip = Strip("query", "detail", [Cell(Image.new("RGB", (300, 200), "navy"), "caption")] * 6)
    one, three = (draw_sheet(Sheet("title", "subtitle", [strip] * n)) for n in (1, 3))
    first, second, *rest = (end_of_rows(three, n) for n in (1, 2, 3, 9))
    assert rest == [three.height, three.height]
    assert second - first == three.height - second - (one.height - first), "rows are of one height"
    assert 0 <= one.height - first <= MARGIN
