"""What is in the image folder, and which of its images look alike."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import accumulate

from text2image.collection.images import open_image
from text2image.collection.locations import Location
from text2image.collection.manifest import ImageFile
from text2image.formats.tables import Row
from text2image.pages.sheets.labels import one_an_image
from text2image.pages.sheets.sheet import Cell, Sheet, Strip

FOLDERS, EXAMPLES_A_FOLDER = 4, 8
A_ROW, MAX_GROUPS = 8, 120  # near-duplicates: images in a row, groups on the sheet


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


def near_identical_sheet(root: Location, files: Sequence[Row]) -> Sheet:
    """Return every group of near-duplicates with its images side by side, those in several folders first.

    Hundreds of groups make no sheet that somebody looks at: of more than ``MAX_GROUPS`` the first are shown, and it
    says how many there are.

    Args:
        root: the image folder.
        files: the rows of data/catalog.csv.
    """
    groups = near_duplicate_groups(files)
    across = [group for group in groups if len({file["folder"] for file in group}) > 1]
    within = [group for group in groups if group not in across]
    room = MAX_GROUPS - len(across[:MAX_GROUPS])
    strips = [
        *group_strips(root, across[:MAX_GROUPS], "In several folders", counted(across, MAX_GROUPS)),
        *group_strips(root, within[:room], "In one folder", counted(within, room)),
    ]
    how = f"{counted(groups)} · different files that show the same picture, a wider gap between groups"
    return Sheet("Near-identical images", how, strips)


def near_duplicate_groups(files: Sequence[Row]) -> list[list[Row]]:
    """Return the groups of at least two images, the largest first; files with the same bytes are one image."""
    groups: dict[str, list[Row]] = defaultdict(list)
    for image in one_an_image(files):
        groups[image["near_group"]].append(image)
    return sorted((group for group in groups.values() if len(group) > 1), key=len, reverse=True)


def counted(groups: Sequence[Sequence[Row]], shown: int | None = None) -> str:
    """Return how many groups and images there are, and how many groups are left out where so many are ``shown``."""
    n, n_images = len(groups), sum(map(len, groups))
    left_out = 0 if shown is None else max(0, n - shown)
    verb = "is" if left_out == 1 else "are"
    more = f" · {left_out:,} more {verb} in data/catalog.csv (near_group)" if left_out else ""
    return f"{n:,} group{'' if n == 1 else 's'}, {n_images:,} images{more}"


def group_strips(root: Location, groups: Sequence[Sequence[Row]], heading: str, detail: str) -> list[Strip]:
    """Return rows of as many whole groups as fit, with a wider gap before each group but a row's first."""
    rows: list[list[Sequence[Row]]] = []
    for group in groups:
        if not rows or sum(map(_width, rows[-1])) + _width(group) > A_ROW:
            rows.append([])
        rows[-1].append(group)
    strips = []
    for number, row in enumerate(rows):
        cells = [cell for group in row for cell in _group_cells(root, group)]
        starts = list(accumulate(map(_width, row)))[:-1]
        strips.append(Strip("" if number else heading, detail, cells, apart=starts))
    return strips


def _width(group: Sequence[Row]) -> int:
    return min(len(group), A_ROW)


def _group_cells(root: Location, group: Sequence[Row]) -> list[Cell]:
    """Return a group's images under their paths; of a group wider than a row, the last says how many there are."""
    cells = [Cell(open_image(listed(root, file)), file["path"]) for file in group[:A_ROW]]
    if len(group) > A_ROW:
        cells[-1] = cells[-1]._replace(caption=f"and {len(group) - A_ROW + 1:,} more")
    return cells
