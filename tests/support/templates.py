"""Advertisements made from templates, with altered copies of some, and the truth of what is the same."""

from collections.abc import Sequence
from pathlib import Path

from text2image.sample.alterations import ALTERATIONS
from text2image.sample.compose import Truth, compose_sample, planned
from text2image.sample.cutouts import read_cutouts

CUTOUTS = Path(__file__).parents[2] / "sample" / "cutouts"


def write_templated_ads(
    folder: Path, seed: int, templates: int, alterations: Sequence[str] | None = tuple(ALTERATIONS)
) -> list[Truth]:
    """Write the ads of so many templates and, of each template, a copy for each alteration: 10 files in 60 ms.

    None for ``alterations``: one copy of each template, altered in this way or that.

    Two files are the same picture if ``picture`` is the same; ``varies`` says in what the others of a template differ.
    Give the catalog's groups of them to :func:`text2image.sample.quality.pair_quality`.
    """
    plans = planned(seed, read_cutouts(CUTOUTS), campaigns=0, templates=templates, alterations=alterations)
    return compose_sample(plans, folder, workers=1)
