"""Views of an image: the whole, squares along its long side, and its corners, each of which may get a vector.

A model sees a square. A banner of 728 × 90 pixels loses nine tenths of itself to a crop, and its proportions to a
squeeze; a small thing in a large picture is a few pixels. Of several views each is nearer to what the model was trained on.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from text2image.base.arrays import Integers, Vectors
from text2image.base.console import InputError
from text2image.base.memory import no_collection
from text2image.collection.manifest import Box, ImageFile, ManifestEntry
from text2image.encoders.settings import CORNERS, TILES, WHOLE
from text2image.formats.views import ViewRow, view_starts

TILED_FROM = 1.25  # longer side to shorter: below it, tiles would be nearly the whole
MOST_TILES = 8
CORNER = 0.6  # of each side
PLACES = ("top left", "top right", "bottom left", "bottom right")


class View(NamedTuple):
    """A part of a picture: what people call it, and its box; None for the whole."""

    name: str
    box: Box | None


def views_of(width: int, height: int, kinds: Sequence[str]) -> list[View]:
    """Return the views of a picture, the whole first; no two have the same box.

    ``tiles``: squares along the long side, as many as cover it, overlapping evenly; none for pictures that are nearly
    square. From 8 tiles on they become longer than high rather than more. ``corners``: ``CORNER`` of each side.

    >>> [view.name for view in views_of(250, 100, ["whole", "tiles"])]
    ['whole', 'tile 1 of 3', 'tile 2 of 3', 'tile 3 of 3']
    >>> views_of(10, 20, ["tiles"])
    [View(name='tile 1 of 2', box=(0, 0, 10, 10)), View(name='tile 2 of 2', box=(0, 10, 10, 20))]
    >>> views_of(10, 20, ["corners"])[-1]
    View(name='corner bottom right', box=(4, 8, 10, 20))
    """
    views = [View(WHOLE, None)] if WHOLE in kinds else []
    if TILES in kinds:
        views += _tiles(width, height)
    if CORNERS in kinds:
        views += _corners(width, height)
    taken: dict[Box | None, View] = {}
    for view in views:
        taken.setdefault(None if view.box == (0, 0, width, height) else view.box, view)
    return list(taken.values())


def _tiles(width: int, height: int) -> list[View]:
    longer, shorter = max(width, height), min(width, height)
    if longer < TILED_FROM * shorter:
        return []
    count = min(MOST_TILES, -(-longer // shorter))
    side = max(shorter, -(-longer // MOST_TILES))
    starts = [round(number * (longer - side) / (count - 1)) for number in range(count)]
    boxes = [
        (start, 0, start + side, height) if width > height else (0, start, width, start + side)
        for start in starts
    ]
    return [View(f"tile {number} of {count}", box) for number, box in enumerate(boxes, start=1)]


def _corners(width: int, height: int) -> list[View]:
    right, down = max(1, round(CORNER * width)), max(1, round(CORNER * height))
    boxes = [(x, y, x + right, y + down) for y in (0, height - down) for x in (0, width - right)]
    return [View(f"corner {place}", box) for place, box in zip(PLACES, boxes, strict=True)]


@no_collection()
def view_files(
    images: Iterable[ImageFile], manifest: Iterable[ManifestEntry], kinds: Sequence[str]
) -> list[tuple[ImageFile, str]]:
    """Return every view of some images, image after image, and its name.

    Args:
        images: of the gallery.
        manifest: says how large they are.
        kinds: ``views`` of the model's entry in params.yaml.

    Raises:
        InputError: the manifest does not say it.
    """
    if list(kinds) == [WHOLE]:
        return [(image, WHOLE) for image in images]
    sizes = {entry.image_id: (entry.width, entry.height) for entry in manifest}
    if unknown := [image_id for image_id, size in sizes.items() if 0 in size]:
        raise InputError(
            f"expected the width and height of every image in data/manifest.csv, which views of models need, found none "
            f"of {unknown[0]}: an earlier version wrote the file; run `dvc repro`"
        )
    return [
        (image._replace(box=view.box), view.name)
        for image in images
        for view in views_of(*sizes[image.image_id], kinds)
    ]


def combine_views(vectors: Vectors, rows: Sequence[ViewRow]) -> tuple[Vectors, list[ViewRow]]:
    """Return one vector an image, the mean of its views, and whose it is.

    Args:
        vectors: ``(n_views, dim)`` float32 unit rows.
        rows: of each vector, image after image.
    """
    starts = view_starts([row.image_id for row in rows])
    counts = np.diff(np.append(starts, len(rows))).tolist()
    named = [
        rows[start] if count == 1 else ViewRow(rows[start].image_id, f"mean of {count} views")
        for start, count in zip(starts.tolist(), counts, strict=True)
    ]
    return mean_views(vectors, starts), named


def mean_views(vectors: Vectors, starts: Integers) -> Vectors:
    """Return the mean of each image's views as a unit row, ``(n_images, dim)`` float32.

    The sum is made in float64; an image of one view keeps its row. Views whose sum is zero, which point in opposite
    directions, have no mean: the first stands for them.

    Args:
        vectors: ``(n_views, dim)`` float32 unit rows, image after image.
        starts: the row of each image's first view, ``(n_images,)``.
    """
    if len(starts) == len(vectors):
        return vectors
    sums = np.add.reduceat(vectors.astype(np.float64), starts, axis=0)
    lengths = np.linalg.norm(sums, axis=1, keepdims=True)
    means = np.divide(sums, lengths, out=vectors[starts].astype(np.float64), where=lengths > 0)
    alone = np.diff(np.append(starts, len(vectors))) == 1
    rows: Vectors = np.where(alone[:, None], vectors[starts], means.astype(np.float32))
    return rows
