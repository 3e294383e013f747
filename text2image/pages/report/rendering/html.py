"""A report as one HTML file: no script, nothing to load, every text escaped, pictures and charts inside."""

import base64
import re

from markupsafe import Markup, escape

from text2image.pages.report.blocks import Chart, Report
from text2image.pages.report.rendering.drawing import png, small
from text2image.pages.templates import TEMPLATES

LARGE = 1_500_000  # characters of a chart: some thousand marks


def html(report: Report, several: bool) -> str:
    """Return the report as a page; ``several`` revisions are named at each picture."""
    page = TEMPLATES.get_template("report/rendering/report.html.jinja")
    return page.render(
        report=report,
        several=several,
        kind=lambda block: type(block).__name__,
        code=_code,
        svg=_svg,
        uri=_uri,
    )


def _code(text: str) -> Markup:
    """Return our own text with what stands between backticks as code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704 - escaped


def _svg(chart: Chart) -> Markup:
    """Return the chart as part of the page; as a picture where so many marks would make the page slow."""
    if len(chart.svg) > LARGE:
        data = base64.b64encode(png(chart.svg)).decode()
        return Markup('<img src="data:image/png;base64,{}" alt="{}">').format(data, chart.title)
    return Markup(chart.svg)  # noqa: S704 - reduced to shapes and escaped text by `clean`


def _uri(data: bytes) -> str:
    picture = small(data, "WEBP")
    return f"data:image/webp;base64,{base64.b64encode(picture).decode()}"
