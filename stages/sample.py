"""Stage ``sample``: compose the advertisements that come with the project, from cut-outs.

It stands before the pipeline, in sample/dvc.yaml, and has parameters of its own, in sample/params.yaml.
"""

import os

from text2image.artifacts import ARTIFACTS
from text2image.base.console import Parser, run, say
from text2image.base.settings import Count, Section, load_settings
from text2image.sample.compose import write_sample


class Sample(Section):
    """How many campaigns are drawn, and from which seed."""

    campaigns: Count
    seed: int


def main() -> None:
    sample, workers = load_settings(ARTIFACTS.sample_params, Sample), os.cpu_count() or 1
    truth = write_sample(ARTIFACTS.cutouts, ARTIFACTS.sample, sample.campaigns, sample.seed, workers)
    say(f"sample: {len(truth)} files of {sample.campaigns} campaigns in {ARTIFACTS.sample}")


if __name__ == "__main__":
    Parser("python -m stages.sample", description=(__doc__ or "").split("\n\n")[0]).parse_args()
    run(main)
