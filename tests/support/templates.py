"""Advertisements made from templates, with altered copies of some, and the truth of what is the same."""

from pathlib import Path

from tests.support.pipeline import REPOSITORY
from text2image.artifacts import ARTIFACTS
from text2image.sample.compose import Truth, compose_sample, planned
from text2image.sample.cutouts import read_cutouts


def write_templated_ads(folder: Path, seed: int, templates: int) -> list[Truth]:
    """Write the ads of so many templates and of each template one altered copy.

    Two files are the same picture if ``picture`` is the same; ``varies`` says in what the others of a template differ.
    Give the catalog's groups of them to :func:`text2image.sample.quality.pair_quality`.
    """
    plans = planned(seed, read_cutouts(REPOSITORY / ARTIFACTS.cutouts), campaigns=0, templates=templates)
    return compose_sample(plans, folder, workers=1)
