"""Stage ``catalog``: walk the image folder, prove that every file decodes, and say what is in it.

The only stage that depends on the image folder; the others read ``data/manifest.csv``.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import imagehash
import numpy as np

from stages.core.duplicates import near_groups
from stages.io.console import InputError, one_line, progress, run, say
from stages.io.files import write_json
from stages.io.images import UnusableImage, decode, image_format, image_id, read_bytes, walk
from stages.io.manifest import MANIFEST, ManifestEntry
from stages.io.params import load_params
from stages.io.tables import chart_text, write_csv


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


def read_entry(root: Path, max_pixels: int, found: tuple[str, str | None]) -> Entry | Reject:
    """Read, hash and decode one file that :func:`walk` found."""
    path, obstacle = found
    if obstacle:
        return Reject(path, obstacle)
    try:
        content = read_bytes(root / path)
        image = decode(content, max_pixels)
    except UnusableImage as error:
        return Reject(path, str(error))
    folder = path.split("/")[0] if "/" in path else "."
    return Entry(
        path=path,
        image_id=image_id(content),
        folder=folder,
        width=image.width,
        height=image.height,
        format=image_format(content),
        bytes=len(content),
        phash=str(imagehash.phash(image)),
    )


def read_folder(root: Path, max_pixels: int) -> tuple[list[Entry], list[Reject]]:
    """Read every file under ``root`` in worker threads (decoding releases the interpreter's lock)."""
    if not root.is_dir():
        raise InputError(
            f"expected a folder of images at {one_line(root)} (params key data.images), found "
            + ("a file" if root.exists() else "no such folder")
        )
    found = list(walk(root))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = []
        with progress(total=len(found), unit="file", title="catalog") as bar:
            for result in pool.map(partial(read_entry, root, max_pixels), found):
                results.append(result)
                bar.update()
    entries = sorted(item for item in results if isinstance(item, Entry))
    return entries, sorted(item for item in results if isinstance(item, Reject))


def check_usable(
    root: Path, entries: Sequence[Entry], rejects: Sequence[Reject], max_rejected: float
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


def main() -> None:
    params = load_params()
    root = Path(params.data.images)
    entries, rejects = read_folder(root, params.catalog.max_pixels)
    check_usable(root, entries, rejects, params.catalog.max_rejected)
    group = group_entries(entries, params.catalog.near_duplicate_bits)
    write_tables(entries, rejects, group)
    write_json(Path("metrics/dataset.json"), summary(entries, rejects, group))
    say(f"catalog: {len(entries)} usable files, {len(rejects)} rejected (data/rejects.csv)")


if __name__ == "__main__":
    run(main)
