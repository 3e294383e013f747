"""What is in the image folder, and which of its images look alike."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from text2image.collection.duplicates import near_pairs
from text2image.collection.images import open_image
from text2image.collection.locations import Location
from text2image.collection.manifest import ImageFile
from text2image.formats.tables import Row
from text2image.pages.sheets.labels import one_an_image
from text2image.pages.sheets.sheet import Cell, Sheet, Strip, in_rows

FOLDERS, EXAMPLES_A_FOLDER = 4, 8
PAIRS, PAIRS_A_ROW = 16, 4


def dataset_sheet(root: Location, files: Sequence[Row]) -> Sheet:
    """Return a row of examples for each of the largest folders, spread over its files.

    Args:
        root: the image folder.
        files: the rows of data/catalog.csv.
    """
    strips = []
    for folder, count in sorted(Counter(file["folder"] for file in files).most_common(FOLDERS)):
        inside = [file for file in files if file["folder"] == folder]
        chosen = inside[:: max(1, len(inside) // EXAMPLES_A_FOLDER)][:EXAMPLES_A_FOLDER]
        cells = [Cell(open_image(listed(root, f)), f"{f['width']} × {f['height']}") for f in chosen]
        strips.append(Strip(f"folder {folder}", f"{count} files", cells))
    how = "examples spread over each sub-folder · width × height in pixels"
    return Sheet("What is in the folder", how, strips)


def listed(root: Location, file: Row) -> ImageFile:
    """Return the image of a row of data/catalog.csv."""
    return ImageFile(file["image_id"], root / file["path"], file["rendering"])


def near_identical_sheet(root: Location, files: Sequence[Row], bits: int) -> Sheet:
    """Return the most similar pairs of near-duplicate images across folders, the two of a pair side by side.

    Args:
        root: the image folder.
        files: the rows of data/catalog.csv.
        bits: how many bits of the perceptual hashes of near-duplicates may differ.
    """
    pairs = pairs_across_folders(files, bits)
    cells = [Cell(open_image(listed(root, file)), file["path"]) for pair in pairs[:PAIRS] for file in pair]
    strips = in_rows(cells, 2 * PAIRS_A_ROW, apart=range(2, 2 * PAIRS_A_ROW, 2))
    how = f"{len(pairs)} pairs of different files that look alike, side by side, the most similar first"
    return Sheet("Near-identical images across folders", how, strips)


def pairs_across_folders(files: Sequence[Row], bits: int) -> list[tuple[Row, Row]]:
    """Return the pairs of near-duplicate images whose first files lie in different folders, the closest first.

    A pair stands for two images, not for two files with the same bytes.
    """
    images = one_an_image(files)
    hashes = np.array([int(image["phash"], 16) for image in images], dtype=np.uint64)
    left, right = near_pairs(hashes, bits).T
    distances = np.bitwise_count(hashes[left] ^ hashes[right]).tolist()
    ordered = sorted(zip(distances, left.tolist(), right.tolist(), strict=True))
    return [(images[a], images[b]) for _, a, b in ordered if images[a]["folder"] != images[b]["folder"]]
