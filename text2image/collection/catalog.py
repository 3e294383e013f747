"""What is in a folder of images: its usable files, those that are not, and what they are together."""

from collections import Counter
from collections.abc import Sequence
from statistics import median
from typing import Any, NamedTuple

from text2image.base.console import InputError, one_line
from text2image.base.store import Store
from text2image.collection.facts import Facts, verdicts
from text2image.collection.groups import Candidate, near_duplicate_groups
from text2image.collection.locations import KEY, Location
from text2image.collection.manifest import ImageFile
from text2image.collection.scan import ListedFile


class Entry(NamedTuple):
    """A usable image file: its path, the first folder of it, and what its bytes say (:class:`Facts`)."""

    path: str
    image_id: str
    folder: str
    width: int
    height: int
    format: str
    bytes: int
    phash: str
    rendering: str
    blank: bool
    phash256: str


COLUMNS = Entry._fields[:-1]
"""What data/catalog.csv says of a file: all but the long hash; ``blank``, the last, as 1 or 0."""


class Reject(NamedTuple):
    """A file that is not a usable image."""

    path: str
    reason: str


def read_folder(
    root: Location, max_pixels: int, files: Sequence[ListedFile], store: Store | None = None
) -> tuple[list[Entry], list[Reject]]:
    """Return what can be said of all files of a scan, reading those that the store does not know."""
    entries, rejects = [], []
    for path, verdict in verdicts(root, files, max_pixels, store).items():
        if isinstance(verdict, Facts):
            folder = path.split("/")[0] if "/" in path else "."
            entries.append(Entry(path, verdict.image_id, folder, *verdict[1:]))
        else:
            rejects.append(Reject(path, verdict))
    return sorted(entries), sorted(rejects)


def check_usable(
    root: Location, entries: Sequence[Entry], rejects: Sequence[Reject], max_rejected: float
) -> None:
    """Raise an InputError for a folder without usable images, or with more unusable files than allowed."""
    files = len(entries) + len(rejects)
    reasons = ", ".join(f"{reason}: {n}" for reason, n in Counter(r.reason for r in rejects).most_common())
    where = f"{one_line(root)} ({KEY})"
    if files == 0:
        raise InputError(f"expected images in {where}, found no file")
    if not entries:
        raise InputError(f"expected images in {where}, found none among {files} files ({reasons})")
    if len(rejects) > max_rejected * files:
        example = one_line(rejects[0].path)
        raise InputError(
            f"expected at most {max_rejected:.0%} unusable files (params key catalog.max_rejected) in {where}, "
            f"found {len(rejects)} of {files} ({reasons}), such as {example}"
        )


def group_entries(
    root: Location, entries: Sequence[Entry], bits: int, levels: float, store: Store | None = None
) -> tuple[list[int], int]:
    """Return each file's near-duplicate group, numbered by first appearance, and how many images were bounded.

    Blank images are near-duplicates of nothing. The other arguments and what "bounded" means:
    :func:`text2image.collection.groups.near_duplicate_groups`.
    """
    candidates = {
        entry.image_id: Candidate(
            ImageFile(entry.image_id, root, entry.rendering, name=entry.path),
            entry.width * entry.height,
            entry.phash,
            entry.phash256,
        )
        for entry in reversed(entries)
        if not entry.blank
    }
    found, bounded = near_duplicate_groups(candidates.values(), bits, levels, store)
    names = [found.get(entry.image_id, entry.image_id) for entry in entries]
    numbers = {name: number for number, name in enumerate(dict.fromkeys(names))}
    return [numbers[name] for name in names], bounded


def summary(entries: Sequence[Entry], rejects: Sequence[Reject], groups: Sequence[int]) -> dict[str, Any]:
    """Return what ``metrics/dataset.json`` says of the folder; sizes are in pixels."""
    group_of = {entry.image_id: group for entry, group in zip(entries, groups, strict=True)}
    sizes = Counter(group_of.values())
    sides = {"width": [e.width for e in entries], "height": [e.height for e in entries]}
    return {
        "files": len(entries) + len(rejects),
        "images": len(group_of),
        "exact_duplicate_files": len(entries) - len(group_of),
        "blank_images": len({entry.image_id for entry in entries if entry.blank}),
        "near_duplicate_groups": sum(size > 1 for size in sizes.values()),
        "near_duplicate_images": sum(size for size in sizes.values() if size > 1),
        "rejects": dict(sorted(Counter(reject.reason for reject in rejects).items())),
        "folders": dict(sorted(Counter(entry.folder for entry in entries).items())),
        "formats": dict(sorted(Counter(entry.format for entry in entries).items())),
        "renderings": dict(sorted(Counter(e.rendering for e in entries if e.rendering).items())),
        "bytes": sum(entry.bytes for entry in entries),
        **{side: {"min": min(v), "median": median(v), "max": max(v)} for side, v in sides.items()},
    }
