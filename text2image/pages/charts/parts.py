"""What Vega-Lite templates are put together from.

DVC fills in the words in angle brackets: the rows, and from dvc.yaml title, columns and labels of the axes.
Revisions stand side by side, label sources one below the other, and systems differ in colour."""

from collections.abc import Sequence
from typing import Any

from text2image.pages.theme import CHART_CONFIG, OTHERS

X, Y = "<DVC_METRIC_X>", "<DVC_METRIC_Y>"
X_LABEL, Y_LABEL = "<DVC_METRIC_X_LABEL>", "<DVC_METRIC_Y_LABEL>"

Spec = dict[str, Any]

SERIES = [
    {"calculate": "split(datum.series, ' · ')[0]", "as": "system"},
    {"calculate": "split(datum.series, ' · ')[1]", "as": "source"},
]
ABOVE: Spec = {"title": None, "labelOrient": "top", "labelAnchor": "start", "labelPadding": 4}
BY_SOURCE: Spec = {
    "field": "source",
    "type": "nominal",
    "header": ABOVE | {"labelExpr": "'label source: ' + datum.value"},
}
SYSTEM: Spec = {"field": "system", "type": "nominal", "title": "system"}
FROM_0_TO_1: Spec = {"domain": [0, 1]}


def template(spec: Spec, numbers: Sequence[str], rows: Spec | None = None, **more: Any) -> Spec:
    """Return a template of ``spec`` for each revision.

    Args:
        spec: one chart.
        numbers: columns of the table that hold numbers.
        rows: what stands one below the other, if anything.
        more: other top-level keys.
    """
    parse = dict.fromkeys(numbers, "number")
    columns = {"field": "rev", "type": "nominal", "header": {"title": None}}
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "data": {"values": "<DVC_METRIC_DATA>", "format": {"type": "json", "parse": parse}},
        "title": "<DVC_METRIC_TITLE>",
        "facet": {**({"row": rows} if rows else {}), "column": columns},
        "spec": spec,
        "config": CHART_CONFIG,
        **more,
    }


def number(field: str, form: str = ".3f", title: str | None = None) -> Spec:
    """Return a tooltip's line for a number."""
    return {"field": field, "type": "quantitative", "format": form, **({"title": title} if title else {})}


def quantity(field: str, title: str | None = None, **more: Any) -> Spec:
    """Return a position by a number."""
    return {"field": field, "type": "quantitative", **({"title": title} if title else {}), **more}


def others(field: str, title: str | None) -> Spec:
    """Return a colour by what is not a system."""
    return {"field": field, "type": "nominal", "title": title, "scale": {"range": list(OTHERS)}}
