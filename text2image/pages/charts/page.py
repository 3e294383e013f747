"""The page that `dvc plots show` fills, with everything that it needs inside: it renders without a network.

By default DVC's page loads Vega, Vega-Lite and Vega-Embed from a CDN and stays blank without one; here they come
from the package ``vl-convert-python``.
"""

import re

from text2image.pages.theme import CARD, FONTS, INK, PAPER, QUIET, RULE, WRONG

STYLE = f"""
:root {{ color-scheme: light; }}
body {{ margin: 0 auto; max-width: 1280px; padding: 24px 28px 64px; background: {PAPER}; color: {INK};
       font: 16px/1.5 {FONTS}; }}
h1 {{ margin: 0; font-size: 26px; }}
header p {{ margin: 4px 0 24px; color: {QUIET}; font-size: 15px; }}
main {{ display: flex; flex-wrap: wrap; align-items: flex-start; gap: 20px; }}
main > div {{ box-sizing: border-box; max-width: 100%; }}
main > .vega-embed, main > .undrawn {{ padding: 20px; border: 1px solid {RULE}; border-radius: 8px;
       overflow-x: auto; }}
main > .vega-embed.has-actions {{ padding-right: 44px; }}
main > .undrawn {{ color: {WRONG}; }}
/* Pictures: DVC styles these blocks inline, and would cut off what is wider than the window. */
main > div[style] {{ flex: 0 0 100%; display: flex; flex-wrap: wrap; gap: 16px; padding: 16px 20px;
       border: 1px solid {RULE} !important; border-radius: 8px; text-align: left !important;
       white-space: normal !important; }}
main > div[style] > p {{ flex: 0 0 100%; margin: 0; font-weight: bold; overflow-wrap: anywhere; }}
main > div[style] > div {{ flex: 0 1 auto; box-sizing: border-box; max-width: 100%; min-width: 0;
       margin: 0 !important; padding: 8px; border: 0 !important; background: {CARD}; border-radius: 6px; }}
main > div[style] > div > p {{ margin: 0 0 6px; color: {QUIET}; font-size: 14px; }}
img {{ display: block; max-width: 100%; height: auto; }}
"""

# Charts are drawn as SVG, sharp at every zoom; on a canvas where that many marks would make a page slow.
# A chart that cannot be drawn says so in its place.
DRAW = """
const embed = window.vegaEmbed;
window.vegaEmbed = (place, spec) => {
  const rows = ((spec.data || {}).values || []).length;
  const options = {
    mode: "vega-lite",
    renderer: rows > 5000 ? "canvas" : "svg",
    actions: {export: true, source: false, compiled: false, editor: false},
  };
  delete spec.$schema;  // of version 5, for other pages of DVC's; the next version reads it as well
  return embed(place, spec, options).catch((error) => {
    const element = document.querySelector(place);
    element.className = "undrawn";
    element.textContent = `This chart cannot be drawn: ${error.message}`;
    console.error(error);
  });
};
"""

# The policy keeps the page from asking the network for anything, whatever a label says.
TEMPLATE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'unsafe-inline'
 'unsafe-eval'; style-src 'unsafe-inline'; img-src file: 'self' data: blob:">
{refresh_tag}
<title>Plots: text-to-image retrieval</title>
<style>%(style)s</style>
<script>%(libraries)s</script>
<script>%(draw)s</script>
</head>
<body>
<header>
<h1>Text-to-image retrieval</h1>
<p>Charts first, then sheets of pictures. A model has one colour in all charts; point at a mark for its values.</p>
</header>
<main>
{plot_divs}
</main>
</body>
</html>
"""


def page(libraries: str) -> str:
    """Return the page, with ``{plot_divs}`` where DVC puts the plots.

    Args:
        libraries: JavaScript that defines ``vegaEmbed``.
    """
    # In a string or a regular expression, where alone these occur, the backslash changes nothing.
    inline = re.sub(r"<(?=/script|script|!--)", r"\\x3c", libraries, flags=re.IGNORECASE)
    return TEMPLATE % {"style": STYLE, "libraries": inline, "draw": DRAW}


def libraries() -> str:
    """Return Vega, Vega-Lite and Vega-Embed as one script that defines ``vegaEmbed`` for all scripts."""
    import vl_convert

    return vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
