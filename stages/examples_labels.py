"""Stage ``examples_labels@SOURCE``: images with the texts of one source; ``python -m stages.examples_labels SOURCE``.

Chosen for the spread: where the source gives confidences, from its most to its least confident label;
and from the texts that most images share to those that stand alone.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

from stages import run
from text2image.collection.images import open_image
from text2image.collection.locations import Location, location
from text2image.collection.manifest import gallery, read_manifest
from text2image.formats.tables import Row, read_csv
from text2image.pages.sheets import Cell, Strip, save_sheet
from text2image.params import Params

A_ROW, CAPTION_LINES = 6, 3


def spread(rows: Sequence[Row], n: int) -> list[Row]:
    """Return ``n`` rows (or all) at equal distances over an ordered sequence, the ends included."""
    if len(rows) <= n:
        return list(rows)
    return [rows[round(index * (len(rows) - 1) / (n - 1))] for index in range(n)]


def one_an_image(labels: Sequence[Row]) -> list[Row]:
    """Return the first label of every image."""
    first: dict[str, Row] = {}
    for label in labels:
        first.setdefault(label["image_id"], label)
    return list(first.values())


def strips(labels: Sequence[Row], path_of: dict[str, Location]) -> list[Strip]:
    """Return rows of labelled images: by confidence if there is one, and from common to rare texts."""
    texts = Counter(label["text"].lower() for label in labels)
    by_image: dict[str, list[str]] = defaultdict(list)
    for label in labels:
        by_image[label["image_id"]].append(label["text"])
    candidates = one_an_image(labels)
    chosen: list[tuple[str, str, list[Row]]] = []
    if all(label["confidence"] for label in labels):
        ordered = sorted(candidates, key=lambda label: (-float(label["confidence"]), label["image_id"]))
        chosen.append(("By confidence", "from the most to the least confident label", spread(ordered, A_ROW)))
    common = sorted(candidates, key=lambda label: (-texts[label["text"].lower()], label["image_id"]))
    chosen.append(("By how common the text is", "from shared to unique texts", spread(common, 2 * A_ROW)))
    rows = []
    for heading, detail, picked in chosen:
        for start in range(0, len(picked), A_ROW):
            cells = [_cell(label, by_image, path_of) for label in picked[start : start + A_ROW]]
            rows.append(Strip(heading if start == 0 else "", detail, cells, caption_lines=CAPTION_LINES))
    return rows


def _cell(label: Row, by_image: dict[str, list[str]], path_of: dict[str, Location]) -> Cell:
    confidence = f"{float(label['confidence']):.2f} · " if label["confidence"] else ""
    caption = confidence + " / ".join(
        [label["text"], *(t for t in by_image[label["image_id"]] if t != label["text"])]
    )
    return Cell(open_image(path_of[label["image_id"]]), caption)


def main(params: Params, source: str) -> None:
    path_of = dict(gallery(read_manifest(), location(params.data.images)))
    labels = read_csv(Path(f"data/labels/{source}.csv"), ["image_id", "text", "confidence"])
    how = f"{len(labels)} labels on {len(path_of)} images; confidence, where there is one, before the text"
    title = f"Images and their labels: {source}"
    save_sheet(Path(f"plots/labels/{source}.png"), title, how, strips(labels, path_of))


if __name__ == "__main__":
    run(main, "source")
