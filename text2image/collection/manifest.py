"""The usable image files and the gallery, as every stage after the catalog reads them."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from text2image.collection.locations import Location, location
from text2image.formats.tables import read_csv


class ManifestEntry(NamedTuple):
    """A usable file, its path relative to data.images; files with the same bytes share the image."""

    image_id: str
    path: str


class ImageFile(NamedTuple):
    """An image of the gallery and one file that holds it."""

    image_id: str
    path: Location


def read_manifest(path: Path) -> list[ManifestEntry]:
    """Read the manifest, sorted by image_id and path."""
    return sorted(
        ManifestEntry(row["image_id"], row["path"]) for row in read_csv(path, ManifestEntry._fields)
    )


def read_groups(path: Path) -> dict[str, int]:
    """Return ``{image_id: near-duplicate group}`` of the gallery, from the catalog."""
    return {row["image_id"]: int(row["near_group"]) for row in read_csv(path, ["image_id", "near_group"])}


def read_gallery(manifest: Path, images: str) -> list[ImageFile]:
    """Return the gallery of a manifest; ``images`` is where its files lie (``data.images``)."""
    return gallery(read_manifest(manifest), location(images))


def gallery(manifest: Iterable[ManifestEntry], root: Location) -> list[ImageFile]:
    """Return the unique images, sorted by image_id: the row order of every image matrix."""
    first: dict[str, str] = {}
    for image_id, path in sorted(manifest):
        first.setdefault(image_id, path)
    return [ImageFile(image_id, root / path) for image_id, path in first.items()]
