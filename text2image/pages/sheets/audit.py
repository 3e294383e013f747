"""The most suspicious labels of one source, those that are probably wrong first."""

from collections.abc import Mapping, Sequence

from text2image.collection.images import open_image
from text2image.collection.locations import Location
from text2image.formats.tables import Row
from text2image.pages.sheets.sheet import Cell, Sheet, Strip, in_rows

A_ROW, ROWS, CAPTION_LINES = 5, 3, 5
HEADINGS = {
    "label": ("Unlikely labels", "other images fit the text as well as right ones usually do"),
    "model": ("Texts that no image fits", "the model may not understand them"),
}
"""Heading and detail by the column ``speaks_against`` of data/audit/SOURCE.csv."""


def audit_sheet(
    source: str, findings: Sequence[Row], path_of: Mapping[str, Location], audit_file: str
) -> Sheet:
    """Return rows of the most suspicious labels.

    Args:
        source: the label source.
        findings: the rows of data/audit/SOURCE.csv, the most suspicious first.
        path_of: ``{image_id: file}`` of the gallery.
        audit_file: where all findings are, for the sheet's reader.
    """
    strips: list[Strip] = []
    for kind, (heading, detail) in HEADINGS.items():
        worst = [row for row in findings if row["speaks_against"] == kind][: A_ROW * ROWS]
        cells = [
            Cell(open_image(path_of[row["image_id"]]), f"“{row['text']}”: {row['why']}") for row in worst
        ]
        strips += in_rows(cells, A_ROW, heading, detail, caption_lines=CAPTION_LINES)
    how = f"the most suspicious of {len(findings)} labels; all of them are in {audit_file}"
    return Sheet(f"Suspicious labels: {source}", how, strips)
