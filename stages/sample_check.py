"""Stage ``sample_check``: how well near-duplicates are found on the sample, whose truth is known.

Where the pipeline searches other images than the sample, the truth says nothing of them: the figures are null.
"""

import pandas as pd

from stages import run
from text2image.artifacts import ARTIFACTS
from text2image.formats.files import write_json
from text2image.formats.tables import read_csv
from text2image.params import Params
from text2image.sample.quality import pair_quality

KNOWN = ["picture", "campaign", "varies", "alteration"]


def main(params: Params) -> None:
    truth = {row["path"]: row for row in read_csv(ARTIFACTS.sample_truth, ["path", *KNOWN])}
    files = read_csv(ARTIFACTS.catalog, ["path", "image_id", "near_group"])
    images = {row["image_id"]: row | truth[row["path"]] for row in files if row["path"] in truth}
    table = pd.DataFrame(images.values(), columns=["near_group", *KNOWN])
    write_json(ARTIFACTS.metrics("near_duplicates"), pair_quality(table))


if __name__ == "__main__":
    run(main)
