"""Charts that compare systems: measures with intervals, quality against size, mixes of a tuned model and its base."""

from text2image.pages.charts.parts import (
    ABOVE,
    BY_SOURCE,
    FROM_0_TO_1,
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
from text2image.pages.theme import PAPER, QUIET

MEASURES = ("mrr", "mrr_low", "mrr_high", "mrr_chance", "hit_rate")
COSTS = ("bytes_per_image", "usd_per_1000_queries")
MARK_CIRCULAR = {
    "calculate": "datum.circular == 1 ? datum.system + ' (circular)' : datum.system",
    "as": "system",
}


def intervals() -> Spec:
    """Return every measure of every system with its interval, and chance level."""
    figures = [number(name) for name in ("value", "low", "high", "chance")]
    span = {
        "mark": {"type": "rule", "strokeWidth": 3, "opacity": 0.5},
        "encoding": {"y": quantity("low", Y_LABEL, scale=FROM_0_TO_1), "y2": {"field": "high"}},
    }
    mean = {
        "mark": {"type": "point", "filled": True, "size": 90, "opacity": 1},
        "encoding": {
            "y": quantity(Y),
            "tooltip": [*({"field": name} for name in ("system", "source", "measure")), *figures],
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
        "encoding": {"x": measure, "xOffset": {"field": "system"}, "color": SYSTEM},
        "layer": [span, mean, chance],
    }
    by_k = [{"calculate": "toNumber(split(datum.measure, '@')[1] || 0)", "as": "k"}]
    return template(spec, ["value", "low", "high", "chance"], BY_SOURCE, transform=by_k)


def leaderboard() -> Spec:
    """Return quality against size, a point and its interval a system; those on the Pareto front are filled."""
    unnamed = SYSTEM | {"legend": None}  # the legend is that of the filled points
    y = quantity(Y, Y_LABEL, scale={"domainMin": 0}, axis={"tickCount": 6})
    front = {
        "transform": [{"filter": "datum.on_front == 1"}],
        "mark": {"type": "line", "interpolate": "step-after", "color": QUIET, "strokeWidth": 1.5},
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
            "fill": {"condition": {"test": "datum.on_front == 1", **SYSTEM}, "value": PAPER},
            "tooltip": [
                *({"field": name} for name in ("system", "kind", "source")),
                *map(number, MEASURES),
                *_costs(),
            ],
        },
    }
    spec = {"width": 420, "height": 200, "encoding": {"x": _size()}, "layer": [_room(), front, span, mean]}
    transform = [
        {"filter": "isValid(datum.parameters)"},  # the size of a model may be unknown
        {"calculate": "datum.parameters / 1e6", "as": "millions"},
        {"calculate": "datum.millions / 2", "as": "half"},
        {"calculate": "datum.millions == 0 ? 1 : datum.millions * 2", "as": "double"},
        MARK_CIRCULAR,
    ]
    numbers = [*MEASURES, "parameters", *COSTS, "circular", "on_front"]
    return template(spec, numbers, BY_SOURCE, transform=transform)


def _costs() -> list[Spec]:
    """Return the lines of a tooltip on what a system costs."""
    forms = zip(COSTS, (",d", ",.2f"), ("bytes an image", "USD for 1,000 queries"), strict=True)
    return [number("millions", ",.1f", "parameters (millions)"), *(number(*form) for form in forms)]


def _size() -> Spec:
    """Return the axis of systems' sizes, logarithmic beyond a million: a system may have no parameters at all."""
    ticks = [0, *(digit * 10**power for power in range(6) for digit in (1, 2, 5))]
    scale = {"type": "symlog", "constant": 1, "nice": False, "zero": False}
    return quantity(
        "millions", X_LABEL, scale=scale, axis={"values": ticks, "labelExpr": "format(datum.value, ',')"}
    )


def _room() -> Spec:
    """Return an invisible mark from half to twice each size (0 to a million): one system alone has an axis, too."""
    return {
        "mark": {"type": "rule", "opacity": 0, "tooltip": False},
        "encoding": {"x": _size() | {"field": "half"}, "x2": {"field": "double"}, "y": quantity(Y)},
    }


def wise_ft() -> Spec:
    """Return measures against the weight of a tuned model in its mix with the base; ringed, the one chosen."""
    names = {"MRR": "mrr", "HitRate@5": "hit_rate@5"}
    measured = quantity("measured", Y_LABEL, scale={"zero": False, "nice": True})
    figures = [number(name) for name in (*names, "loss")]
    tooltip = [{"field": "model"}, number("weight", ".1f"), *figures]
    rows = {"field": "measure", "type": "nominal", "sort": list(names), "header": ABOVE}
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
        "encoding": {
            "x": quantity(X, X_LABEL, scale=FROM_0_TO_1),
            "color": SYSTEM | {"field": "model", "title": "model"},
        },
        "layer": [line, chosen],
    }
    transform = [
        *({"calculate": f"datum['{column}']", "as": name} for name, column in names.items()),
        {"fold": list(names), "as": ["measure", "measured"]},
    ]
    parse = ["weight", "loss", *names.values()]
    return template(spec, parse, rows, transform=transform, resolve={"scale": {"y": "independent"}})


def fusion_weights() -> Spec:
    """Return the MRR against the weight of a part of a fusion; ringed, the weight for searching, filled, those of folds."""
    tooltip = [{"field": name} for name in ("system", "source", "part")]
    tooltip += [number("weight", ".2f"), number("mrr"), number("n_folds", "d", "folds that chose it")]
    measured = quantity(Y, Y_LABEL, scale={"zero": False, "nice": True})
    legend = {"symbolType": "stroke", "symbolSize": 400, "symbolFillColor": "transparent"}
    part = {"field": "part", "type": "nominal", "title": "weight of", "legend": legend}
    line = {
        "mark": {"type": "line", "strokeWidth": 2.5},
        "encoding": {"y": measured, "strokeDash": part, "tooltip": tooltip},
    }
    of_folds = {
        "transform": [{"filter": "datum.n_folds > 0"}],
        "mark": {"type": "point", "filled": True, "opacity": 1},
        "encoding": {
            "y": measured,
            "size": quantity("n_folds", scale={"domain": [0, 5], "range": [0, 160]}, legend=None),
            "tooltip": tooltip,
        },
    }
    chosen = {
        "transform": [{"filter": "datum.chosen == 1"}],
        "mark": {"type": "point", "shape": "circle", "size": 260, "strokeWidth": 2.5, "filled": False},
        "encoding": {"y": measured, "tooltip": tooltip},
    }
    spec = {
        "width": 360,
        "height": 170,
        "encoding": {
            "x": quantity(X, X_LABEL, scale=FROM_0_TO_1),
            "color": SYSTEM,
        },
        "layer": [line, of_folds, chosen],
    }
    numbers = ["weight", "mrr", "chosen", "n_folds", "circular"]
    return template(
        spec, numbers, BY_SOURCE, transform=[MARK_CIRCULAR], resolve={"scale": {"y": "independent"}}
    )
