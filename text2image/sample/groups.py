"""Which files of the sample are meant to look alike."""

from pathlib import Path

from text2image.formats.tables import read_csv

ALIKE = ("original", "near_duplicate", "copy")
"""Kinds of renditions that are one picture, or nearly."""


def true_groups(truth: Path) -> dict[str, str]:
    """Return ``{path: group}``: renditions of a campaign that are meant to look alike share one."""
    return {
        row["path"]: row["campaign"] if row["kind"] in ALIKE else f"{row['campaign']} {row['rendition']}"
        for row in read_csv(truth, ["path", "campaign", "rendition", "kind"])
    }
