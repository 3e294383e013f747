"""Stage ``sample``: compose the advertisements that come with the project, from cut-outs.

It stands before the pipeline, in sample/dvc.yaml, and has parameters of its own, in sample/params.yaml.
"""

import os

from text2image.artifacts import ARTIFACTS
from text2image.base.console import run, say
from text2image.base.settings import load_settings
from text2image.sample.compose import write_sample
from text2image.sample.settings import Sample


def main() -> None:
    settings = load_settings(ARTIFACTS.sample_params, Sample)
    truth = write_sample(
        ARTIFACTS.cutouts,
        ARTIFACTS.sample,
        campaigns=settings.campaigns,
        seed=settings.seed,
        workers=os.cpu_count() or 1,
    )
    say(f"sample: {len(truth)} files of {settings.campaigns} campaigns in {ARTIFACTS.sample}")


if __name__ == "__main__":
    run(main)
