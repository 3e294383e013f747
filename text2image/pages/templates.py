"""The pages' Jinja templates, which stand beside their modules; all that is put into them is escaped."""

from pathlib import Path

import jinja2

from text2image.pages.theme import AXIS, CARD, FONTS, INK, MARK, PAPER, QUIET, RELEVANT, RULE, SYSTEMS, WRONG

TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent),
    autoescape=True,
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
