"""Stage ``catalog``: walk the image folder, prove that every file decodes, and say what is in it.

The only stage that depends on the image folder; the others read ``data/manifest.csv``. Files that did not
change since an earlier run are not read again. ``python -m stages.catalog --full`` reads them all the same,
compares their hashes with what is remembered, and says what differs. ``--pin URL`` writes the file by which
DVC watches images behind any URL.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np

from stages import run
from text2image.base.console import InputError, one_line, say
from text2image.base.store import Store
from text2image.collection.duplicates import near_groups
from text2image.collection.entries import Facts, determinants, verdicts, verify
from text2image.collection.images import walk
from text2image.collection.locations import PIN, Found, Location, location, pinned, read_pin, write_pin
from text2image.collection.manifest import MANIFEST, ManifestEntry
from text2image.formats.files import write_json
from text2image.formats.tables import chart_text, write_csv
from text2image.params import Params

DEFAULT_PIN = Path(f"data/images{PIN}")


class Entry(NamedTuple):
    """A usable image file; ``phash`` is the 64-bit perceptual hash of its upright RGB pixels."""

    path: str
    image_id: str
    folder: str
    width: int
    height: int
    format: str
    bytes: int
    phash: str


class Reject(NamedTuple):
    """A file that is not a usable image."""

    path: str
    reason: str


def look(root: Location) -> list[Found]:
    """Return every file below a location.

    Raises:
        InputError: it is not a folder.
    """
    if isinstance(root, Path) and not root.is_dir():
        raise InputError(
            f"expected a folder of images at {one_line(root)} (params key data.images), found "
            + ("a file" if root.exists() else "no such folder")
        )
    return list(walk(root))


def read_folder(
    root: Location, max_pixels: int, found: Sequence[Found], store: Store | None = None
) -> tuple[list[Entry], list[Reject]]:
    """Return what can be said of all files of :func:`look`, reading those that the store does not know."""
    entries, rejects = [], []
    for path, verdict in verdicts(root, found, max_pixels, store).items():
        if isinstance(verdict, Facts):
            folder = path.split("/")[0] if "/" in path else "."
            entries.append(Entry(path, verdict.image_id, folder, *verdict[1:]))
        else:
            rejects.append(Reject(path, verdict))
    return sorted(entries), sorted(rejects)


def check_usable(
    root: Location, entries: Sequence[Entry], rejects: Sequence[Reject], max_rejected: float
) -> None:
    """Refuse a folder without usable images, or with more unusable files than allowed."""
    files = len(entries) + len(rejects)
    reasons = ", ".join(f"{reason}: {n}" for reason, n in Counter(r.reason for r in rejects).most_common())
    where = f"{one_line(root)} (params key data.images)"
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


def summary(entries: Sequence[Entry], rejects: Sequence[Reject], group: Sequence[int]) -> dict[str, Any]:
    """Return what ``metrics/dataset.json`` says of the folder; sizes are in pixels."""
    image_of = {entry.image_id: number for entry, number in zip(entries, group, strict=True)}
    sizes = Counter(image_of.values())
    sides = {"width": [e.width for e in entries], "height": [e.height for e in entries]}
    return {
        "files": len(entries) + len(rejects),
        "images": len(image_of),
        "exact_duplicate_files": len(entries) - len(image_of),
        "near_duplicate_groups": sum(size > 1 for size in sizes.values()),
        "near_duplicate_images": sum(size for size in sizes.values() if size > 1),
        "rejects": dict(sorted(Counter(reject.reason for reject in rejects).items())),
        "folders": dict(sorted(Counter(entry.folder for entry in entries).items())),
        "formats": dict(sorted(Counter(entry.format for entry in entries).items())),
        "bytes": sum(entry.bytes for entry in entries),
        **{side: {"min": min(v), "median": median(v), "max": max(v)} for side, v in sides.items()},
    }


def group_entries(entries: Sequence[Entry], bits: int) -> list[int]:
    """Return each file's near-duplicate group, by perceptual hash."""
    hashes = np.array([int(entry.phash, 16) for entry in entries], dtype=np.uint64)
    return [int(group) for group in near_groups(hashes, bits)]


def write_tables(entries: Sequence[Entry], rejects: Sequence[Reject], group: Sequence[int]) -> None:
    """Write the catalog, the rejects and the manifest that all other stages depend on."""
    rows = [(*entry, number) for entry, number in zip(entries, group, strict=True)]
    write_csv(Path("data/catalog.csv"), (*Entry._fields, "near_group"), rows)
    write_csv(Path("data/rejects.csv"), Reject._fields, rejects)
    manifest = sorted(ManifestEntry(entry.image_id, entry.path) for entry in entries)
    write_csv(MANIFEST, ManifestEntry._fields, manifest)
    sizes = [(entry.width, entry.height, chart_text(entry.folder), entry.format) for entry in entries]
    write_csv(Path("plots/image_sizes.csv"), ("width", "height", "folder", "format"), sizes)


def check_pin(images: str, found: Sequence[Found]) -> None:
    """Refuse images behind a pinned URL that are not those that were pinned."""
    if not images.endswith(PIN):
        return
    then = read_pin(Path(images))
    now = pinned(then.url, found)
    if now.state != then.state:
        raise InputError(
            f"expected the {then.files} files at {one_line(then.url)} as {images} has them (params key data.images), "
            f"found {now.files} files, some of them others; run `python -m stages.catalog --pin`"
        )


def pin(images: str, url: str) -> None:
    """Write down the state of the files at ``url``, or anew those that ``data.images`` names."""
    path = Path(images) if images.endswith(PIN) else DEFAULT_PIN
    url = url or (read_pin(path).url if images.endswith(PIN) else images)
    state = pinned(url, look(location(url)))
    write_pin(path, state)
    advice = "" if images.endswith(PIN) else f"; set data.images in params.yaml to {path}"
    say(f"catalog: {state.files} files at {one_line(url)} in {path}{advice}")


def full(root: Location, found: Sequence[Found], max_pixels: int, store: Store) -> None:
    """Verify what is remembered of the files.

    Raises:
        InputError: files differ that look unchanged.
    """
    checked, differ = verify(root, found, max_pixels, store)
    if differ:
        raise InputError(
            f"expected the {checked} files that look unchanged to have the bytes they had, found {len(differ)} others, "
            f"such as {one_line(differ[0])}; DVC overlooks them too: `touch` them and run `dvc repro`"
        )
    say(f"catalog: {checked} of {len(found)} files are remembered, and all have the bytes they had")


def arguments() -> Namespace:
    parser = ArgumentParser("python -m stages.catalog", description="Say what is in data.images.")
    parser.add_argument(
        "--full", action="store_true", help="verify by hash what is remembered; write nothing"
    )
    parser.add_argument(
        "--pin", nargs="?", const="", metavar="URL", help=f"write {DEFAULT_PIN}, by which DVC watches a URL"
    )
    return parser.parse_args()


def main(params: Params) -> None:
    images, settings = params.data.images, params.catalog
    root = location(images)
    files = look(root)
    check_pin(images, files)
    with Store("catalog", determinants(root, settings.max_pixels)) as store:
        entries, rejects = read_folder(root, settings.max_pixels, files, store)
    check_usable(root, entries, rejects, settings.max_rejected)
    group = group_entries(entries, settings.near_duplicate_bits)
    write_tables(entries, rejects, group)
    write_json(Path("metrics/dataset.json"), summary(entries, rejects, group))
    say(f"catalog: {len(entries)} usable files, {len(rejects)} rejected (data/rejects.csv)")


if __name__ == "__main__":
    run(main)
