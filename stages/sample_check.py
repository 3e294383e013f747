"""Stage ``sample_check``: how well near-duplicates are found on the sample, whose truth is known.

Where the pipeline searches other images than the sample, the truth says nothing of them: the figures are null.
"""

from pathlib import Path

import numpy as np

from stages import run
from text2image.artifacts import ARTIFACTS
from text2image.collection.duplicates import pair_quality
from text2image.formats.files import write_json
from text2image.formats.tables import read_csv
from text2image.params import Params

ALIKE = ("original", "near_duplicate", "copy")
"""Kinds of renditions that are one picture, or nearly."""


def true_groups(truth: Path) -> dict[str, str]:
    """Return ``{path: group}``: renditions of a campaign that are meant to look alike share one."""
    return {
        row["path"]: row["campaign"] if row["kind"] in ALIKE else f"{row['campaign']} {row['rendition']}"
        for row in read_csv(truth, ["path", "campaign", "rendition", "kind"])
    }


def main(params: Params) -> None:
    group_of_path = true_groups(ARTIFACTS.sample_truth)
    groups = {
        row["image_id"]: (int(row["near_group"]), group_of_path[row["path"]])
        for row in read_csv(ARTIFACTS.catalog, ["path", "image_id", "near_group"])
        if row["path"] in group_of_path
    }
    given = np.array([group for group, _ in groups.values()], dtype=np.int64)
    true = np.unique([group for _, group in groups.values()], return_inverse=True)[1]
    n_pairs, precision, recall = pair_quality(given, true)
    figures = {"images": len(groups), "true_pairs": n_pairs, "precision": precision, "recall": recall}
    write_json(ARTIFACTS.metrics("near_duplicates"), figures)


if __name__ == "__main__":
    run(main)
