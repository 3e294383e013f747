"""The theme: the colours, the typeface and the charts' common settings, for all that people look at.

Sheets of pictures (:mod:`text2image.pages.sheets`), charts (:mod:`text2image.pages.charts`) and pages take them from
here, and no stage but those that draw depends on it. The colours for categories are Okabe and Ito's,
which the colour-blind can tell apart.

Source: Okabe and Ito, Color Universal Design, 2008.
"""

from typing import Any

INK, QUIET, PAPER, CARD, RULE = "#1b1f24", "#5c6570", "#ffffff", "#f3f4f6", "#d7dbe0"
GRID, AXIS = "#e5e7eb", "#9aa3ad"
RELEVANT = "#009e73"
WRONG = "#a33b00"
SHARE, AGAINST = "#0072b2", "#cc79a7"  # what adds to a score, and what takes from it
MARK = "#f0e442"  # words on a picture, as with a highlighter; no chart has it

SYSTEMS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", INK)
"""Colours of systems, in the order of their names: the same in every chart."""

OTHERS = ("#e69f00", "#56b4e9", INK, "#cc79a7", "#009e73", "#d55e00", "#0072b2")
"""Colours of what is not a system (label sources, folders), so that none looks like the first systems."""

FONTS = '"DejaVu Sans", Verdana, Helvetica, Arial, sans-serif'

CHART_CONFIG: dict[str, Any] = {
    "font": "DejaVu Sans, Helvetica, Arial, sans-serif",
    "view": {"stroke": None},
    "axis": {
        "labelFontSize": 12,
        "titleFontSize": 13,
        "titleFontWeight": "normal",
        "gridColor": GRID,
        "domainColor": AXIS,
        "tickColor": AXIS,
        "labelSeparation": 6,
        "titlePadding": 8,
    },
    "legend": {
        "labelFontSize": 12,
        "titleFontSize": 12,
        "orient": "bottom",
        "columns": 2,
        "labelLimit": 260,
        "symbolStrokeWidth": 3,
        "symbolOpacity": 1,
        "titleLimit": 400,
    },
    "title": {"fontSize": 16, "anchor": "start", "offset": 12},
    "header": {"labelFontSize": 12, "title": None, "labelColor": QUIET},
    "range": {"category": list(SYSTEMS)},
}
