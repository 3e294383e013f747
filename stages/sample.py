"""Stage ``sample``: compose the advertisements that come with the project, from cut-outs.

It stands before the pipeline, in sample/dvc.yaml, and has parameters of its own, in sample/params.yaml.
"""

import os
from collections.abc import Callable
from functools import partial
from typing import Annotated

from pydantic import Field

from stages import parse, perform
from text2image.artifacts import ARTIFACTS
from text2image.base.console import say
from text2image.base.settings import Count, Section, load_settings
from text2image.sample.compose import write_sample


class Sample(Section):
    """How many campaigns of their own designs and how many from templates are drawn, and from which seed."""

    campaigns: Count
    templates: Annotated[int, Field(ge=0)]
    seed: int


def prepared() -> Callable[[], None]:
    return partial(main, load_settings(ARTIFACTS.sample_params, Sample))


def main(sample: Sample) -> None:
    workers = os.cpu_count() or 1
    truth = write_sample(
        ARTIFACTS.cutouts,
        ARTIFACTS.sample,
        campaigns=sample.campaigns,
        templates=sample.templates,
        seed=sample.seed,
        workers=workers,
    )
    say(
        f"sample: {len(truth)} files of {sample.campaigns} campaigns and {sample.templates} templates in {ARTIFACTS.sample}"
    )


if __name__ == "__main__":
    parse(main)
    perform(main, prepared)
