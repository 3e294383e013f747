"""The page that `dvc plots show` fills, with everything that it needs inside: it renders without a network.

By default DVC's page loads Vega, Vega-Lite and Vega-Embed from a CDN and stays blank without one; here they come
from the package ``vl-convert-python``.
"""

import re

from text2image.pages.templates import TEMPLATES


def page(libraries: str) -> str:
    """Return the page, with ``{plot_divs}`` where DVC puts the plots.

    Args:
        libraries: JavaScript that defines ``vegaEmbed``.
    """
    # In a string or a regular expression, where alone these occur, the backslash changes nothing.
    inline = re.sub(r"<(?=/script|script|!--)", r"\\x3c", libraries, flags=re.IGNORECASE)
    return TEMPLATES.get_template("charts/page.html.jinja").render(libraries=inline)


def libraries() -> str:
    """Return Vega, Vega-Lite and Vega-Embed as one script that defines ``vegaEmbed`` for all scripts."""
    import vl_convert

    return vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
