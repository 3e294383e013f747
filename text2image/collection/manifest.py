"""The usable image files and the gallery, as every stage after the catalog reads them."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from text2image.base.memory import no_collection
from text2image.collection.locations import Location, location
from text2image.formats.tables import as_written, read_columns, read_csv

COLOURS = "icc"
"""How the names of renderings begin that change colours alone, see :mod:`text2image.collection.rendering`."""


class ManifestEntry(NamedTuple):
    """A usable file, its path relative to data.images; files with the same bytes share the image.

    ``rendering`` says how its bytes become pixels, "" for most (:class:`text2image.collection.rendering.Rendered`);
    ``width`` and ``height`` are those of the upright picture, in pixels, 0 in a manifest of an earlier version.
    """

    image_id: str
    path: str
    rendering: str = ""
    width: int = 0
    height: int = 0


Box = tuple[int, int, int, int]
"""A part of an upright picture in its pixels: left, top, right, bottom, the latter two not included."""


class ImageFile(NamedTuple):
    """An image of the gallery, one file that holds it, and how its bytes become pixels ("" for most).

    Attributes:
        image_id: of the file's bytes.
        root: where the file lies; the folder or URL of the whole collection, if there is a ``name``.
        rendering: how the bytes become pixels.
        box: the part of the picture that is meant; None for the whole.
        name: of the file, relative to ``root``.
    """

    image_id: str
    root: Location
    rendering: str = ""
    box: Box | None = None
    name: str = ""

    @property
    def path(self) -> Location:
        """Return where the file lies. Paths are made as they are read: 100,000 at once would take half a second."""
        return self.root / self.name if self.name else self.root

    @property
    def key(self) -> str:
        """Return the key in the store of what is computed of the image's pixels: its id, if they are plain and all."""
        key = f"{self.image_id}+{self.rendering}" if self.rendering else self.image_id
        return key if self.box is None else f"{key}@{','.join(map(str, self.box))}"

    @property
    def paid_key(self) -> str:
        """Return the key in the store of answers that were paid for.

        It is :attr:`key`, but that a colour profile does not count: what a vision model says of an image stays
        valid where its colours alone are rendered differently.
        """
        kept = [part for part in self.rendering.split("+") if not part.startswith(COLOURS)]
        return self._replace(rendering="+".join(kept)).key


@no_collection()
def read_manifest(path: Path) -> list[ManifestEntry]:
    """Read the manifest, sorted by image_id and path.

    In one that was written before there was a column ``rendering``, all images count as plain; before there were
    ``width`` and ``height``, these are 0.

    Raises:
        InputError: there is no such file, or it is no manifest.
    """
    columns = read_columns(path, ["image_id", "path"])
    ids, n = columns["image_id"], len(columns["image_id"])
    sizes = (map(int, columns.get(side, [0] * n)) for side in ("width", "height"))
    rows = zip(ids, columns["path"], columns.get("rendering", [""] * n), *sizes, strict=True)
    with as_written(path, "whole numbers as width and height"):
        return sorted(map(ManifestEntry._make, rows))


def read_groups(path: Path) -> dict[str, int]:
    """Return ``{image_id: near-duplicate group}`` of the gallery, from the catalog.

    Raises:
        InputError: there is no such file, or it is no catalog.
    """
    rows = read_csv(path, ["image_id", "near_group"])
    with as_written(path, "whole numbers as near_group"):
        return {row["image_id"]: int(row["near_group"]) for row in rows}


def read_gallery(manifest: Path, images: str) -> list[ImageFile]:
    """Return the gallery of a manifest; ``images`` is where its files lie (``data.images``)."""
    return gallery(read_manifest(manifest), location(images))


@no_collection()
def gallery(manifest: Iterable[ManifestEntry], root: Location) -> list[ImageFile]:
    """Return the unique images, sorted by image_id: the row order of every image matrix."""
    first: dict[str, ManifestEntry] = {}
    for entry in sorted(manifest):
        first.setdefault(entry.image_id, entry)
    return [ImageFile(entry.image_id, root, entry.rendering, None, entry.path) for entry in first.values()]
