"""What is in the image folder, and which of its images look alike."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import accumulate, chain

from text2image.collection.images import open_image
from text2image.collection.locations import Location
from text2image.collection.manifest import ImageFile
from text2image.formats.tables import Row
from text2image.pages.sheets.labels import one_an_image
from text2image.pages.sheets.sheet import Cell, Sheet, Strip, low_enough

FOLDERS, EXAMPLES_A_FOLDER = 4, 8
A_ROW, MAX_GROUPS = 8, 120  # near-duplicates: columns of the sheet, groups on it
BANNER = 3  # an image so many times as wide as high takes two columns


def dataset_sheet(root: Location, files: Sequence[Row]) -> Sheet:
    """Return a row of examples for each of the largest folders, spread over its files, and count blank images.

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
    blank = len({file["image_id"] for file in files if file["blank"] == "1"})
    how = "examples spread over each sub-folder · width × height in pixels"
    if blank:
        how += (
            f" · {blank:,} image{' is' if blank == 1 else 's are'} blank (one colour), see data/catalog.csv"
        )
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
    across: list[list[Row]] = []
    within: list[list[Row]] = []
    for group in groups:
        (across if len({file["folder"] for file in group}) > 1 else within).append(group)
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
    rows: list[list[list[Cell]]] = []
    for group in groups:
        cells = _group_cells(root, group)
        roomy = (row for row in rows if sum(map(_columns, row)) + _columns(cells) <= A_ROW)
        row = next(roomy, None)
        if row is None:
            rows.append([cells])
        else:
            row.append(cells)
    strips = []
    for number, row in enumerate(rows):
        every, starts = list(chain.from_iterable(row)), list(accumulate(map(len, row)))[:-1]
        head = "" if number else heading
        strips.append(Strip(head, detail, every, apart=starts, height=low_enough(every)))
    return strips


def _columns(cells: Sequence[Cell]) -> int:
    return sum(cell.columns for cell in cells)


def _group_cells(root: Location, group: Sequence[Row]) -> list[Cell]:
    """Return a group's images under their paths, banners twice as wide if they all fit into a row then.

    Of more images than fit into a row, the last says how many there are.
    """
    widths = [2 if int(file["width"]) >= BANNER * int(file["height"]) else 1 for file in group]
    if sum(widths) > A_ROW:
        widths = [1] * len(group)
    pairs = list(zip(group, widths, strict=True))[:A_ROW]
    cells = [Cell(open_image(listed(root, file)), file["path"], columns=width) for file, width in pairs]
    if len(group) > A_ROW:
        cells[-1] = cells[-1]._replace(caption=f"and {len(group) - A_ROW + 1:,} more")
    return cells
