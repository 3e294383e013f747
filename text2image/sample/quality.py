"""How well the near-duplicates that were found agree with the truth, which is known of the sample."""

from typing import Any

import numpy as np
import pandas as pd

from text2image.sample.alterations import ALTERATIONS
from text2image.sample.templates import VARIED

DIFFERENCES = (*VARIED, "design", "campaign")
"""Kinds of different pictures: ads of one template; of one campaign in several designs; of different campaigns."""


def pair_quality(images: pd.DataFrame) -> dict[str, Any]:
    """Return how well groups of near-duplicates agree with the truth, counted in pairs of images.

    A true pair is two images of one picture. Precision is the share of the pairs within groups that are true; recall
    is the share of the true pairs that are within a group. None where there is no pair to divide by.

    Args:
        images: a row an image with the columns ``near_group``, the group that was found, and ``picture``,
            ``campaign``, ``varies`` and ``alteration`` as in data/sample_truth.csv. None need be given.

    Returns:
        The figures over all pairs, and by kind of change:

        - ``alterations``: the true pairs by what altered one of the two (an image pair counts for both, where both
          were altered), and their recall;
        - ``differences``: the pairs that differ in that, how many of them share a group (``false_pairs``), and the
          precision among the campaigns whose pictures differ in that; for ``campaign``, among all true pairs and
          the pairs across campaigns.
    """
    true, found = _pairs_within(images, "picture"), _pairs_within(images, "near_group")
    hit = true["near_group"] == true["near_group_other"]
    right = found["picture"] == found["picture_other"]
    return {
        "images": len(images),
        "true_pairs": len(true),
        "precision": _mean(right),
        "recall": _mean(hit),
        "alterations": _by_alteration(true, hit),
        "differences": _by_difference(found, right, _different_pairs(images)),
    }


def _by_alteration(true: pd.DataFrame, hit: pd.Series) -> dict[str, dict[str, Any]]:
    """Return true pairs and recall by alteration; ``hit`` says of each true pair whether it shares a group."""
    figures = {}
    for name in ALTERATIONS:
        of_kind = (true["alteration"] == name) | (true["alteration_other"] == name)
        figures[name] = {"true_pairs": int(of_kind.sum()), "recall": _mean(hit[of_kind])}
    return figures


def _by_difference(
    found: pd.DataFrame, right: pd.Series, n_different: dict[str, int]
) -> dict[str, dict[str, Any]]:
    """Return pairs and precision by kind of difference; ``right`` says of each pair of a group whether it is true."""
    kind = found["varies"].where(found["campaign"] == found["campaign_other"], "campaign")
    figures = {}
    for name in DIFFERENCES:
        of_kind = (kind == name) | (right & (name == "campaign"))
        figures[name] = {
            "different_pairs": n_different[name],
            "false_pairs": int((~right & of_kind).sum()),
            "precision": _mean(right[of_kind]),
        }
    return figures


def _pairs_within(images: pd.DataFrame, column: str) -> pd.DataFrame:
    """Return all pairs of images with the same value in ``column``; the second's columns end in ``_other``."""
    numbered = images.assign(row=np.arange(len(images)))
    pairs = numbered.merge(numbered, on=column, suffixes=("", "_other"))
    return pairs[pairs["row"] < pairs["row_other"]]


def _different_pairs(images: pd.DataFrame) -> dict[str, int]:
    """Return how many pairs of images show different pictures, by the kind of difference."""

    def n_pairs(*columns: str) -> pd.Series:
        sizes = images.groupby(list(columns), as_index=False).size()
        return (sizes["size"] * (sizes["size"] - 1) // 2).groupby(sizes["varies"]).sum()

    within = n_pairs("varies", "campaign")
    counts = (within - n_pairs("varies", "picture")).to_dict()
    across = len(images) * (len(images) - 1) // 2 - int(within.sum())
    return {name: int(counts.get(name, 0)) for name in DIFFERENCES} | {"campaign": across}


def _mean(values: pd.Series) -> float | None:
    return float(values.mean()) if len(values) else None
