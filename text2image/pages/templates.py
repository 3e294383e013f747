"""The pages' Jinja templates, which stand beside their modules; all that is put into them is escaped.

Names of files and texts are not trusted: control characters, and those that turn the direction of what follows, are shown
as ``\\u202e``. Letters that are written from right to left turn what stands beside them, so templates put such texts into
``<bdi>``.
"""

import re
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from text2image.pages.theme import AXIS, CARD, FONTS, INK, MARK, PAPER, QUIET, RELEVANT, RULE, SYSTEMS, WRONG

UNSEEN = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufff9-\ufffb\ud800-\udfff]"
)
"""Control characters but for tabs and ends of lines, those that turn the direction of a text (Unicode Standard Annex 9), and
halves of characters, as names of files that are not UTF-8 have them."""


def visible(value: Any) -> Any:
    """Return a text in which characters that are not seen are escaped; anything else, and markup, as it is.

    >>> visible("gepj.\u202eexe")
    'gepj.\\\\u202eexe'
    """
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    return UNSEEN.sub(lambda found: repr(found[0])[1:-1], value)


TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    finalize=visible,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)

CSS_VARIABLES = f"""
:root {{ --ink: {INK}; --quiet: {QUIET}; --paper: {PAPER}; --card: {CARD}; --rule: {RULE}; --wrong: {WRONG};
  --accent: {RELEVANT}; --range: {AXIS}; --mark: {MARK};
  --first: {SYSTEMS[0]}; --second: {SYSTEMS[1]}; --third: {SYSTEMS[2]}; --fonts: {FONTS}; }}
"""
"""The theme, for style sheets."""

TEMPLATES.globals["css_variables"] = CSS_VARIABLES
