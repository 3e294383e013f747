"""The files below .dvc that `dvc plots` reads: a template for each chart of dvc.yaml, and the page.

By default DVC's page loads Vega, Vega-Lite and Vega-Embed from a CDN and stays blank without one; here they come
from the package ``vl-convert-python``, so that it renders without a network.
"""

import json
import re
from collections.abc import Callable
from pathlib import Path

from text2image.base.console import InputError, one_line, say
from text2image.formats.files import write_text
from text2image.pages.charts import data, queries, systems
from text2image.pages.charts.parts import Spec
from text2image.pages.templates import TEMPLATES as PAGES

PAGE = "plots_page.html"  # DVC reads a relative path as relative to .dvc
OPTION = "plots.html_template"

TEMPLATES: dict[str, Callable[[], Spec]] = {
    "agreement": data.agreement,
    "coverage": data.coverage,
    "fusion_weights": systems.fusion_weights,
    "hit_rate": queries.hit_rate,
    "image_sizes": data.image_sizes,
    "intervals": systems.intervals,
    "leaderboard": systems.leaderboard,
    "margins": queries.margins,
    "ranks": queries.ranks,
    "reciprocal_ranks": queries.reciprocal_ranks,
    "wise_ft": systems.wise_ft,
    "words": data.words,
}
"""The charts, by the names under which dvc.yaml asks for them (``template:``)."""


def write_plot_files(dvc_folder: Path) -> None:
    """Write templates and page into ``dvc_folder``, and name the page in DVC's local configuration.

    A page of one's own, set as ``plots.html_template`` at any level of DVC's configuration, stays in use.

    Raises:
        InputError: ``dvc_folder`` is no folder, or DVC's configuration is damaged.
    """
    if not dvc_folder.is_dir():
        raise InputError(
            f"expected a DVC repository, found no folder {dvc_folder} (run from the repository root)"
        )
    write_templates(dvc_folder / "plots")
    write_text(dvc_folder / PAGE, page(libraries()))
    _use_page(dvc_folder)


def write_templates(folder: Path) -> None:
    """Write the templates into ``folder``; others that lie there stay."""
    for name, template in TEMPLATES.items():
        write_text(folder / f"{name}.json", json.dumps(template(), indent=1, ensure_ascii=False) + "\n")


def _use_page(dvc_folder: Path) -> None:
    from dvc.config import Config, ConfigError

    try:
        config = Config(str(dvc_folder))
        configured = config.get("plots", {}).get("html_template", PAGE)
        if configured != PAGE:
            say(f"plots page: {OPTION} is {configured}, left as it is")
            return
        with config.edit("local") as local:
            local.setdefault("plots", {})["html_template"] = PAGE
    except ConfigError as error:
        raise InputError(
            f"expected a configuration of DVC in {dvc_folder}, found: {one_line(error)}"
        ) from None
    say(f"plots page: `dvc plots show` uses {dvc_folder / PAGE}, which needs no network")


def page(libraries: str) -> str:
    """Return the page, with ``{plot_divs}`` where DVC puts the plots.

    Args:
        libraries: JavaScript that defines ``vegaEmbed``.
    """
    # In a string or a regular expression, where alone these occur, the backslash changes nothing.
    inline = re.sub(r"<(?=/script|script|!--)", r"\\x3c", libraries, flags=re.IGNORECASE)
    return PAGES.get_template("charts/page.html.jinja").render(libraries=inline)


def libraries() -> str:
    """Return Vega, Vega-Lite and Vega-Embed as one script that defines ``vegaEmbed`` for all scripts."""
    import vl_convert

    return vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
