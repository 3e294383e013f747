"""The Vega-Lite templates of `dvc plots`: ``python -m text2image.pages.charts`` writes them to .dvc/plots.

DVC fills in the words in angle brackets: the rows, and from dvc.yaml title, columns and labels of the
axes. Revisions stand side by side, label sources one below the other, and models differ in colour.
DVC's own templates have no intervals, no chance level, and colour by revision.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from text2image.base.console import run
from text2image.formats.files import write_text
from text2image.pages.theme import CHART_CONFIG, OTHERS, PAPER, QUIET

FOLDER = Path(".dvc/plots")
X, Y = "<DVC_METRIC_X>", "<DVC_METRIC_Y>"
X_LABEL, Y_LABEL = "<DVC_METRIC_X_LABEL>", "<DVC_METRIC_Y_LABEL>"

Spec = dict[str, Any]

SERIES = [
    {"calculate": "split(datum.series, ' · ')[0]", "as": "model"},
    {"calculate": "split(datum.series, ' · ')[1]", "as": "source"},
]
BY_SOURCE: Spec = {
    "field": "source",
    "type": "nominal",
    "header": {
        "title": None,
        "labelExpr": "'label source: ' + datum.value",
        "labelOrient": "top",
        "labelAnchor": "start",
        "labelPadding": 4,
    },
}
MODEL: Spec = {"field": "model", "type": "nominal", "title": "model"}
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
    """Return a colour by what is not a model."""
    return {"field": field, "type": "nominal", "title": title, "scale": {"range": list(OTHERS)}}


def hit_rate() -> Spec:
    """Return the hit rate against k, a line a model in the band of its intervals, and chance level."""
    axis = {"values": [1, 2, 5, 10, 20, 50, 100]}
    tooltip = [{"field": "series", "title": "model · label source"}, number("k", "d")]
    tooltip += [number(name) for name in ("hit_rate", "low", "high", "chance")]
    band = {
        "mark": {"type": "area", "opacity": 0.16},
        "encoding": {"y": quantity("low", Y_LABEL, scale=FROM_0_TO_1), "y2": {"field": "high"}},
    }
    line = {
        "mark": {"type": "line", "strokeWidth": 2.5, "point": {"size": 45}},
        "encoding": {"y": quantity(Y), "tooltip": tooltip},
    }
    chance = {
        "mark": {"type": "line", "strokeDash": [4, 4], "strokeWidth": 1.5, "opacity": 1},
        "encoding": {"y": quantity("chance"), "color": {"value": QUIET}, "detail": {"field": "model"}},
    }
    spec = {
        "width": 360,
        "height": 170,
        "encoding": {
            "x": quantity(X, X_LABEL, scale={"type": "log", "nice": False}, axis=axis),
            "color": MODEL,
        },
        "layer": [band, line, chance],
    }
    return template(spec, ["k", "hit_rate", "low", "high", "chance"], BY_SOURCE, transform=SERIES)


def reciprocal_ranks() -> Spec:
    """Return the reciprocal ranks of all queries from the best to the worst, a line a model."""
    tooltip = [
        {"field": "series", "title": "model · label source"},
        number("share", ".1%", "share of queries at least as good"),
        number("reciprocal_rank"),
    ]
    spec = {
        "width": 360,
        "height": 170,
        "mark": {"type": "line", "interpolate": "step-before", "strokeWidth": 2.5},
        "encoding": {
            "x": quantity(X, X_LABEL, scale=FROM_0_TO_1, axis={"format": "%", "tickCount": 5}),
            "y": quantity(Y, Y_LABEL, scale=FROM_0_TO_1, axis={"tickCount": 5}),
            "color": MODEL,
            "tooltip": tooltip,
        },
    }
    return template(spec, ["share", "reciprocal_rank"], BY_SOURCE, transform=SERIES)


def ranks() -> Spec:
    """Return the distribution of the rank of the best relevant image."""
    spec = {
        "width": 460,
        "height": 130,
        "mark": {"type": "bar"},
        "encoding": {
            "x": {"field": X, "title": X_LABEL, "type": "nominal", "sort": None, "axis": {"labelAngle": 0}},
            "xOffset": {"field": "model"},
            "y": quantity(Y, Y_LABEL, axis={"format": "%", "tickCount": 5}),
            "color": MODEL,
            "tooltip": [
                {"field": "series"},
                {"field": "rank", "title": "best relevant rank"},
                number("share", ".1%"),
            ],
        },
    }
    return template(spec, ["share"], BY_SOURCE, transform=SERIES)


def margins() -> Spec:
    """Return each query's best relevant against its best irrelevant score; above the line is right."""
    axis = {"titleFontSize": 12}
    diagonal = {
        "mark": {"type": "line", "color": QUIET, "strokeDash": [5, 4]},
        "encoding": {"x": quantity(X), "y": quantity(X)},
    }
    points = {
        "mark": {"type": "point", "filled": True, "size": 45, "opacity": 0.55},
        "encoding": {
            "x": quantity(X, X_LABEL, scale={"zero": False}, axis={"tickCount": 6, **axis}),
            "y": quantity(Y, Y_LABEL, scale={"zero": False}, axis=axis),
            "color": MODEL,
            "tooltip": [{"field": "text"}, {"field": "series"}, number("relevant"), number("irrelevant")],
        },
    }
    spec = {"width": 360, "height": 300, "layer": [diagonal, points]}
    return template(spec, ["relevant", "irrelevant"], BY_SOURCE, transform=SERIES)


def intervals() -> Spec:
    """Return every measure of every model with its interval, and chance level."""
    figures = [number(name) for name in ("value", "low", "high", "chance")]
    span = {
        "mark": {"type": "rule", "strokeWidth": 3, "opacity": 0.5},
        "encoding": {"y": quantity("low", Y_LABEL, scale=FROM_0_TO_1), "y2": {"field": "high"}},
    }
    mean = {
        "mark": {"type": "point", "filled": True, "size": 90, "opacity": 1},
        "encoding": {
            "y": quantity(Y),
            "tooltip": [*({"field": name} for name in ("model", "source", "measure")), *figures],
        },
    }
    chance = {
        "mark": {"type": "tick", "thickness": 2, "color": QUIET, "width": 14},
        "encoding": {"y": quantity("chance"), "color": {"value": QUIET}},
    }
    measure = {
        "field": X,
        "title": X_LABEL,
        "type": "nominal",
        "sort": {"field": "k", "op": "min"},
        "axis": {"labelAngle": 0, "title": None},
    }
    spec = {
        "width": 440,
        "height": 150,
        "encoding": {"x": measure, "xOffset": {"field": "model"}, "color": MODEL},
        "layer": [span, mean, chance],
    }
    by_k = [{"calculate": "toNumber(split(datum.measure, '@')[1] || 0)", "as": "k"}]
    return template(spec, ["value", "low", "high", "chance"], BY_SOURCE, transform=by_k)


def throughput() -> Spec:
    """Return how many images and texts a second each model embeds, each on a scale of its own."""
    what: Spec = {
        "field": "what",
        "type": "nominal",
        "header": {"title": None, "labelOrient": "top", "labelAnchor": "start", "labelPadding": 4},
    }
    spec = {
        "width": 420,
        "height": {"step": 30},
        "mark": {"type": "bar"},
        "encoding": {
            "x": quantity(X, X_LABEL, axis={"tickCount": 6}),
            "y": {"field": Y, "type": "nominal", "title": Y_LABEL, "axis": {"labelLimit": 220}},
            "color": MODEL | {"legend": None},
            "tooltip": [
                *({"field": name} for name in ("model", "what", "device")),
                number("per_second", ".1f", "a second"),
            ],
        },
    }
    return template(spec, ["per_second"], what, resolve={"scale": {"x": "independent"}})


def leaderboard() -> Spec:
    """Return quality against speed, a point and its interval a model; those on the Pareto front are filled."""
    figures = [number(name) for name in ("mrr", "mrr_low", "mrr_high", "hit_rate")]
    costs = [number("images_per_second", ".1f"), number("queries_per_second", ".1f")]
    unnamed = MODEL | {"legend": None}  # the legend is that of the filled points
    y = quantity(Y, Y_LABEL, scale={"domainMin": 0}, axis={"tickCount": 6})
    front = {
        "transform": [{"filter": "datum.on_front == 1"}],
        "mark": {"type": "line", "interpolate": "step-before", "color": QUIET, "strokeWidth": 1.5},
        "encoding": {"y": y},
    }
    span = {
        "mark": {"type": "rule", "strokeWidth": 3, "opacity": 0.45},
        "encoding": {"y": quantity("mrr_low"), "y2": {"field": "mrr_high"}, "color": unnamed},
    }
    mean = {
        "mark": {"type": "point", "size": 110, "opacity": 1, "strokeWidth": 2.5},
        "encoding": {
            "y": quantity(Y),
            "color": unnamed,
            "fill": {"condition": {"test": "datum.on_front == 1", **MODEL}, "value": PAPER},
            "tooltip": [*({"field": name} for name in ("model", "source", "device")), *figures, *costs],
        },
    }
    ticks = [digit * 10**power for power in range(-3, 5) for digit in (1, 2, 5)]
    x = quantity(X, X_LABEL, scale={"type": "log", "nice": False, "padding": 30}, axis={"values": ticks})
    spec = {"width": 420, "height": 200, "encoding": {"x": x}, "layer": [front, span, mean]}
    numbers = [
        "mrr",
        "mrr_low",
        "mrr_high",
        "hit_rate",
        "images_per_second",
        "queries_per_second",
        "on_front",
    ]
    return template(spec, numbers, BY_SOURCE)


def wise_ft() -> Spec:
    """Return measures against the weight of a tuned model in its mix with the base; ringed, the one chosen."""
    names = {"MRR": "mrr", "HitRate@5": "hit_rate@5"}
    measured = quantity("measured", Y_LABEL, scale={"zero": False, "nice": True})
    figures = [number(name) for name in (*names, "loss")]
    tooltip = [{"field": "model"}, number("weight", ".1f"), *figures]
    rows = {
        "field": "measure",
        "type": "nominal",
        "sort": list(names),
        "header": {"title": None, "labelOrient": "top", "labelAnchor": "start", "labelPadding": 4},
    }
    line = {
        "mark": {"type": "line", "strokeWidth": 2.5, "point": {"size": 45}},
        "encoding": {"y": measured, "tooltip": tooltip},
    }
    chosen = {
        "transform": [{"filter": "datum.chosen == 'true'"}],
        "mark": {"type": "point", "shape": "circle", "size": 260, "strokeWidth": 2.5, "filled": False},
        "encoding": {"y": measured, "tooltip": tooltip},
    }
    spec = {
        "width": 360,
        "height": 170,
        "encoding": {"x": quantity(X, X_LABEL, scale=FROM_0_TO_1), "color": MODEL},
        "layer": [line, chosen],
    }
    transform = [
        *({"calculate": f"datum['{column}']", "as": name} for name, column in names.items()),
        {"fold": list(names), "as": ["measure", "measured"]},
    ]
    parse = ["weight", "loss", *names.values()]
    return template(spec, parse, rows, transform=transform, resolve={"scale": {"y": "independent"}})


def image_sizes() -> Spec:
    """Return width against height, a mark for each size, larger for more files."""
    legend = "folder (a larger mark: more files)"
    spec = {
        "width": 360,
        "height": 280,
        "mark": {"type": "point", "filled": False, "strokeWidth": 2, "opacity": 0.9},
        "encoding": {
            "x": quantity(X, X_LABEL, axis={"tickCount": 6}),
            "y": quantity(Y, Y_LABEL),
            "size": {
                "aggregate": "count",
                "type": "quantitative",
                "scale": {"range": [50, 600], "domainMin": 0},
                "legend": None,
            },
            "color": others("folder", legend),
            "shape": {"field": "folder", "type": "nominal", "title": legend},
            "tooltip": [
                quantity("width"),
                quantity("height"),
                {"field": "folder"},
                {"aggregate": "count", "title": "files"},
            ],
        },
    }
    return template(spec, ["width", "height"])


def coverage() -> Spec:
    """Return the share of images that each source labels, and of its texts that several images share."""
    names = "datum.measure == 'coverage' ? 'images with a label' : 'texts that several images share'"
    spec = {
        "width": 420,
        "height": 220,
        "transform": [
            {"fold": ["coverage", "shared_text_share"], "as": ["measure", "value"]},
            {"calculate": names, "as": "what"},
        ],
        "mark": {"type": "bar"},
        "encoding": {
            "x": {"field": X, "title": X_LABEL, "type": "nominal", "axis": {"labelAngle": 0}},
            "xOffset": {"field": "what"},
            "y": quantity("value", Y_LABEL, scale=FROM_0_TO_1, axis={"format": "%"}),
            "color": others("what", None),
            "tooltip": [{"field": "source"}, {"field": "what"}, number("value", ".1%")],
        },
    }
    return template(spec, ["coverage", "shared_text_share"])


def words() -> Spec:
    """Return the distribution of words per image, a line a source."""
    spec = {
        "width": 420,
        "height": 220,
        "mark": {"type": "line", "interpolate": "step", "strokeWidth": 2},
        "encoding": {
            "x": quantity(X, X_LABEL),
            "y": quantity(Y, Y_LABEL, axis={"format": "%"}),
            "color": others("source", "label source"),
            "tooltip": [{"field": "source"}, quantity("words"), number("share", ".1%")],
        },
    }
    return template(spec, ["words", "share"])


def agreement() -> Spec:
    """Return how alike the texts of two sources are for the same image and for different ones."""
    spec = {
        "width": 420,
        "height": {"step": 48},
        "mark": {"type": "point", "filled": True, "size": 130, "opacity": 1},
        "encoding": {
            "x": quantity(Y, Y_LABEL, axis={"tickCount": 6}),
            "y": {"field": X, "title": X_LABEL, "type": "nominal", "axis": {"grid": True, "labelLimit": 220}},
            "color": others("texts_of", "texts of"),
            "shape": {"field": "model", "type": "nominal", "title": "text tower"},
            "tooltip": [
                *({"field": name} for name in ("sources", "model", "texts_of")),
                number("similarity"),
            ],
        },
    }
    return template(spec, ["similarity"])


TEMPLATES: dict[str, Callable[[], Spec]] = {
    function.__name__: function
    for function in (
        agreement,
        coverage,
        hit_rate,
        image_sizes,
        intervals,
        leaderboard,
        margins,
        ranks,
        reciprocal_ranks,
        throughput,
        wise_ft,
        words,
    )
}  # fmt: skip


def text(name: str) -> str:
    """Return the template's file as text."""
    return json.dumps(TEMPLATES[name](), indent=1, ensure_ascii=False) + "\n"


def main() -> None:
    for name in TEMPLATES:
        write_text(FOLDER / f"{name}.json", text(name))


if __name__ == "__main__":
    run(main)
