"""Charts of what the systems are measured on: the images, and what label sources say of them."""

from text2image.pages.charts.parts import (
    FROM_0_TO_1,
    X_LABEL,
    Y_LABEL,
    Spec,
    X,
    Y,
    number,
    others,
    quantity,
    template,
)


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
