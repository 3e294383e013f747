"""Images with the texts that one source gave them, chosen for the spread, and its most suspicious labels.

Where the source gives confidences, from its most to its least confident label; and from the texts that most
images share to those that one image has alone.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from text2image.collection.images import open_image
from text2image.collection.manifest import ImageFile
from text2image.formats.tables import Row
from text2image.pages.sheets.sheet import Cell, Sheet, Strip, in_rows

A_ROW, CAPTION_LINES = 6, 3
AUDIT_A_ROW, AUDIT_ROWS, AUDIT_CAPTION_LINES = 5, 5, 8
FINDINGS = {
    "other_image_fits": "another image fits well",
    "no_image_fits": "no image fits well",
    "models_differ": "models differ",
}
"""What the column ``finding`` of data/audit/SOURCE.csv says, in words."""


def labels_sheet(source: str, labels: Sequence[Row], images: Mapping[str, ImageFile]) -> Sheet:
    """Return rows of labelled images: by confidence if there is one, and from common to rare texts.

    Args:
        source: the label source.
        labels: the rows of data/labels/SOURCE.csv.
        images: ``{image_id: image}`` of the gallery.
    """
    counts = Counter(label["text"].lower() for label in labels)
    candidates = one_an_image(labels)
    captions = captions_of(labels)

    def strips_of(heading: str, detail: str, rows: Sequence[Row], n: int) -> list[Strip]:
        ids = [label["image_id"] for label in spread(rows, n)]
        cells = [Cell(open_image(images[image]), captions[image]) for image in ids]
        return in_rows(cells, A_ROW, heading, detail, caption_lines=CAPTION_LINES)

    strips: list[Strip] = []
    if all(label["confidence"] for label in labels):
        ordered = sorted(candidates, key=lambda label: (-float(label["confidence"]), label["image_id"]))
        strips += strips_of("By confidence", "from the most to the least confident label", ordered, A_ROW)
    common = sorted(candidates, key=lambda label: (-counts[label["text"].lower()], label["image_id"]))
    strips += strips_of("By how common the text is", "from shared to unique texts", common, 2 * A_ROW)
    how = f"{len(labels)} labels on {len(images)} images; confidence, where there is one, before the text"
    return Sheet(f"Images and their labels: {source}", how, strips)


def captions_of(labels: Sequence[Row]) -> dict[str, str]:
    """Return ``{image_id: caption}``: all texts of an image, and before them the confidence of the first."""
    texts: dict[str, list[str]] = defaultdict(list)
    confidence: dict[str, str] = {}
    for label in labels:
        texts[label["image_id"]].append(label["text"])
        confidence.setdefault(label["image_id"], label["confidence"])
    return {
        image: (f"{float(confidence[image]):.2f} · " if confidence[image] else "")
        + " / ".join(dict.fromkeys(texts_of_image))
        for image, texts_of_image in texts.items()
    }


def one_an_image(rows: Sequence[Row]) -> list[Row]:
    """Return the first row of every image."""
    first: dict[str, Row] = {}
    for row in rows:
        first.setdefault(row["image_id"], row)
    return list(first.values())


def spread(rows: Sequence[Row], n: int) -> list[Row]:
    """Return ``n`` rows (or all) at equal distances over an ordered sequence, the ends included."""
    if len(rows) <= n:
        return list(rows)
    return [rows[round(index * (len(rows) - 1) / (n - 1))] for index in range(n)]


def audit_sheet(
    source: str, findings: Sequence[Row], images: Mapping[str, ImageFile], audit_file: str
) -> Sheet:
    """Return rows of the most suspicious labels.

    Args:
        source: the label source.
        findings: the rows of data/audit/SOURCE.csv, the most suspicious first.
        images: ``{image_id: image}`` of the gallery.
        audit_file: where all findings are, for the sheet's reader.
    """
    worst = findings[: AUDIT_A_ROW * AUDIT_ROWS]
    cells = [Cell(open_image(images[row["image_id"]]), finding_caption(row)) for row in worst]
    detail = (
        "“fits well”: as right images usually do. Is the label wrong, or does the model not understand it?"
    )
    strips = in_rows(cells, AUDIT_A_ROW, "Unlikely labels", detail, caption_lines=AUDIT_CAPTION_LINES)
    how = f"the most suspicious of {len(findings)} labels; all of them are in {audit_file}"
    return Sheet(f"Suspicious labels: {source}", how, strips)


def finding_caption(row: Row) -> str:
    """Return what stands below a suspicious label: its text, what the models find and the strongest signs."""
    return f"“{row['text']}”: " + "; ".join(
        part for part in (FINDINGS.get(row["finding"]), row["why"]) if part
    )
