"""Charts as static SVG or PNG, and sheets of pictures made small enough to send around.

Charts are drawn by the Vega that comes in a package, then reduced to shapes and text. Nothing is fetched: data and
images that lie elsewhere are refused or dropped, and fonts are DejaVu Sans, which comes with matplotlib. What is
left holds no script, no link and no image, so it can stand inside a page.
"""

import io
import json
import re
from functools import cache
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from PIL import Image

SHOWN = ("PNG", "JPEG", "WEBP", "GIF")
"""Pillow's names of the formats of pictures among the plots that a browser shows, too."""

SCALE = 1.5  # of a chart as a picture
QUALITY = 80  # of a sheet
SVG = "http://www.w3.org/2000/svg"
SHAPES = {
    "svg", "g", "path", "rect", "line", "circle", "text", "tspan", "defs", "clipPath", "linearGradient",
    "radialGradient", "stop",
}  # fmt: skip
REFERENCE = re.compile(r"url\(#([^)]*)\)")


class CannotDrawError(ValueError):
    """Vega refused the chart; the message says why."""


@cache
def _converter() -> Any:
    import matplotlib
    import vl_convert

    vl_convert.register_font_directory(str(Path(matplotlib.get_data_path(), "fonts", "ttf")))
    return vl_convert


def draw(spec: dict[str, Any], name: str) -> str:
    """Return a Vega-Lite chart as SVG that is safe to put into a page (see :func:`clean`).

    Raises:
        CannotDrawError: Vega or Vega-Lite refuses the chart, or it asks for data from elsewhere.
    """
    spec = {key: value for key, value in spec.items() if key != "$schema"}
    try:
        svg = _converter().vegalite_to_svg(json.dumps(spec), allowed_base_urls=[])
    except ValueError as error:
        raise CannotDrawError(str(error).partition("\n")[2].split("\n")[0] or str(error)) from None
    return clean(svg, name)


def png(svg: str) -> bytes:
    """Return a cleaned SVG as a PNG of ``SCALE`` times its size and at most 256 colours."""
    out = io.BytesIO()
    with Image.open(io.BytesIO(_converter().svg_to_png(svg, scale=SCALE)), formats=["PNG"]) as image:
        image.convert("RGB").quantize(256).save(out, "PNG", optimize=True)
    return out.getvalue()


def small(data: bytes, form: str, width: int | None = None) -> bytes:
    """Return an image file as WEBP or JPEG, at most ``width`` pixels wide.

    Raises:
        OSError: the bytes are no image that Pillow reads.
    """
    out = io.BytesIO()
    with Image.open(io.BytesIO(data), formats=SHOWN) as image:
        page = image.convert("RGB")
    if width is not None and page.width > width:
        page = page.resize((width, round(page.height * width / page.width)), Image.Resampling.LANCZOS)
    page.save(out, form, quality=QUALITY)
    return out.getvalue()


def clean(svg: str, name: str) -> str:
    """Return an SVG with nothing but shapes and text, and with ids that no other chart has.

    A mark's description becomes its ``<title>``, which browsers show when it is pointed at.

    Args:
        svg: as Vega writes it, well-formed XML.
        name: put before every id: two charts in one page may both have a ``clip0``.
    """
    ElementTree.register_namespace("", SVG)
    root = ElementTree.fromstring(svg)  # noqa: S314 - written by Vega just now, without a DTD
    prefix = re.sub(r"\W", "_", name)
    _reduce(root, prefix)
    return ElementTree.tostring(root, encoding="unicode")


def _reduce(element: ElementTree.Element, prefix: str) -> None:
    for child in list(element):
        if child.tag.removeprefix(f"{{{SVG}}}") in SHAPES:
            _reduce(child, prefix)
        else:
            element.remove(child)
    for key, value in list(element.attrib.items()):
        if key.startswith(("{", "on")) or key == "href":
            del element.attrib[key]
        elif key == "id":
            element.set("id", f"{prefix}-{value}")
        elif key != "aria-label":
            element.set(key, REFERENCE.sub(lambda match: f"url(#{prefix}-{match[1]})", value))
    is_mark = element.get("role") == "graphics-symbol" and not len(element) and not element.text
    if is_mark and "aria-label" in element.attrib:
        ElementTree.SubElement(element, f"{{{SVG}}}title").text = element.attrib.pop("aria-label")
