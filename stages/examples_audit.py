"""Stage ``examples_audit@SOURCE``: pictures of the most suspicious labels; ``python -m stages.examples_audit SOURCE``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from stages import run
from text2image.collection.images import open_image
from text2image.collection.locations import Location, location
from text2image.collection.manifest import gallery, read_manifest
from text2image.formats.tables import Row, read_csv
from text2image.pages.sheets import Cell, Strip, save_sheet
from text2image.params import Params

A_ROW, ROWS, CAPTION_LINES = 5, 3, 5
HEADINGS = {
    "label": (
        "The search speaks against the label",
        "other images fit the text as well as right ones usually do",
    ),
    "model": (
        "The search speaks against the model",
        "no image fits the text: the model may not understand it",
    ),
}


def strips(findings: Sequence[Row], path_of: dict[str, Location]) -> list[Strip]:
    """Return rows of the most suspicious labels, those that look wrong first."""
    rows = []
    for kind, (heading, detail) in HEADINGS.items():
        worst = [row for row in findings if row["speaks_against"] == kind][: A_ROW * ROWS]
        for start in range(0, len(worst), A_ROW):
            cells = [
                Cell(open_image(path_of[row["image_id"]]), f"“{row['text']}”: {row['why']}")
                for row in worst[start : start + A_ROW]
            ]
            title = heading if start == 0 else ""
            rows.append(Strip(title, detail, cells, caption_lines=CAPTION_LINES))
    return rows


def main(params: Params, source: str) -> None:
    path_of = dict(gallery(read_manifest(), location(params.data.images)))
    findings = read_csv(Path(f"data/audit/{source}.csv"), ["image_id", "text", "speaks_against", "why"])
    how = f"the most suspicious of {len(findings)} labels; all of them are in data/audit/{source}.csv"
    save_sheet(
        Path(f"plots/audit/{source}.png"), f"Suspicious labels: {source}", how, strips(findings, path_of)
    )


if __name__ == "__main__":
    run(main, "source")
