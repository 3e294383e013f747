"""Stage ``examples_dataset``: pictures of what is in the image folder, and of what looks alike there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from stages import run
from text2image.collection.duplicates import near_pairs
from text2image.collection.images import open_image
from text2image.collection.locations import Location, location
from text2image.formats.tables import Row, read_csv
from text2image.pages.sheets import Cell, Strip, save_sheet
from text2image.params import Params

FOLDERS, EXAMPLES_A_FOLDER = 4, 8
PAIRS, PAIRS_A_ROW = 16, 4


def pairs_across_folders(files: Sequence[Row], bits: int) -> list[tuple[Row, Row]]:
    """Return the pairs of near-duplicate images whose first files lie in different folders.

    A pair stands for two images, not for two files with the same bytes; the closest come first.
    """
    first: dict[str, Row] = {}
    for file in files:
        first.setdefault(file["image_id"], file)
    images = list(first.values())
    hashes = np.array([int(image["phash"], 16) for image in images], dtype=np.uint64)
    left, right = near_pairs(hashes, bits).T
    distances = np.bitwise_count(hashes[left] ^ hashes[right]).tolist()
    ordered = sorted(zip(distances, left.tolist(), right.tolist(), strict=True))
    return [(images[a], images[b]) for _, a, b in ordered if images[a]["folder"] != images[b]["folder"]]


def folder_strips(root: Location, files: Sequence[Row]) -> list[Strip]:
    """Return a row of examples for each of the largest folders, spread over its files."""
    strips = []
    for folder, count in sorted(Counter(file["folder"] for file in files).most_common(FOLDERS)):
        inside = [file for file in files if file["folder"] == folder]
        chosen = inside[:: max(1, len(inside) // EXAMPLES_A_FOLDER)][:EXAMPLES_A_FOLDER]
        cells = [Cell(open_image(root / f["path"]), f"{f['width']} × {f['height']}") for f in chosen]
        strips.append(Strip(f"folder {folder}", f"{count} files", cells))
    return strips


def pair_strips(root: Location, pairs: Sequence[tuple[Row, Row]]) -> list[Strip]:
    """Return rows of near-duplicate pairs, the two images of a pair side by side."""
    cells = [Cell(open_image(root / file["path"]), file["path"]) for pair in pairs for file in pair]
    width = 2 * PAIRS_A_ROW
    apart = range(2, width, 2)
    return [Strip("", "", cells[start : start + width], apart) for start in range(0, len(cells), width)]


def main(params: Params) -> None:
    root = location(params.data.images)
    files = read_csv(Path("data/catalog.csv"), ["path", "image_id", "folder", "phash"])
    how = "examples spread over each sub-folder · width × height in pixels"
    save_sheet(Path("plots/dataset_examples.png"), "What is in the folder", how, folder_strips(root, files))
    pairs = pairs_across_folders(files, params.catalog.near_duplicate_bits)
    how = f"{len(pairs)} pairs of different files that look alike, side by side, the most similar first"
    title = "Near-identical images across folders"
    save_sheet(Path("plots/near_identical.png"), title, how, pair_strips(root, pairs[:PAIRS]))


if __name__ == "__main__":
    run(main)
