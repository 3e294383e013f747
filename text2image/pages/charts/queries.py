"""Charts over queries: hit rates and reciprocal ranks, where the first relevant image stands, scores."""

from text2image.pages.charts.parts import (
    BY_SOURCE,
    FROM_0_TO_1,
    SERIES,
    SYSTEM,
    X_LABEL,
    Y_LABEL,
    Spec,
    X,
    Y,
    number,
    quantity,
    template,
)
from text2image.pages.theme import QUIET


def hit_rate() -> Spec:
    """Return the hit rate against k, a line a system in the band of its intervals, and chance level."""
    axis = {"values": [1, 2, 5, 10, 20, 50, 100]}
    tooltip = [{"field": "series", "title": "system · label source"}, number("k", "d")]
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
        "encoding": {"y": quantity("chance"), "color": {"value": QUIET}, "detail": {"field": "system"}},
    }
    spec = {
        "width": 360,
        "height": 170,
        "encoding": {
            "x": quantity(X, X_LABEL, scale={"type": "log", "nice": False}, axis=axis),
            "color": SYSTEM,
        },
        "layer": [band, line, chance],
    }
    return template(spec, ["k", "hit_rate", "low", "high", "chance"], BY_SOURCE, transform=SERIES)


def reciprocal_ranks() -> Spec:
    """Return the reciprocal ranks of all queries from the best to the worst, a line a system."""
    tooltip = [
        {"field": "series", "title": "system · label source"},
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
            "color": SYSTEM,
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
            "xOffset": {"field": "system"},
            "y": quantity(Y, Y_LABEL, axis={"format": "%", "tickCount": 5}),
            "color": SYSTEM,
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
            "color": SYSTEM,
            "tooltip": [{"field": "text"}, {"field": "series"}, number("relevant"), number("irrelevant")],
        },
    }
    spec = {"width": 360, "height": 300, "layer": [diagonal, points]}
    return template(spec, ["relevant", "irrelevant"], BY_SOURCE, transform=SERIES)
