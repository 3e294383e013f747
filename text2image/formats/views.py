"""data/embeddings/MODEL: the vectors of images, of which each may have several, and whose they are."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np

from text2image.base.arrays import Integers, Vectors
from text2image.base.console import InputError, one_line
from text2image.formats.tables import read_csv, write_csv


class ViewRow(NamedTuple):
    """A row of views.csv for each vector: the image that it belongs to, and what of it (``whole``, ``tile 2 of 3`` …)."""

    image_id: str
    view: str


class ImageVectors(NamedTuple):
    """Vectors of images, image after image.

    Attributes:
        vectors: ``(n_vectors, dim)`` float32 unit rows; may be memory-mapped.
        starts: ``(n_images,)`` int64, the row of each image's first vector, that of the whole; None where each image has
            one.
        names: which view each row is of, where images have several.
    """

    vectors: Vectors
    starts: Integers | None = None
    names: tuple[str, ...] = ()

    @property
    def n_images(self) -> int:
        return len(self.vectors) if self.starts is None else len(self.starts)

    def first(self) -> Vectors:
        """Return the first vector of each image, ``(n_images, dim)``: that of the whole, or the mean of the views."""
        return self.vectors if self.starts is None else self.vectors[self.starts]

    def rows(self, columns: Integers) -> tuple[Integers, Integers]:
        """Return the rows of the vectors of some images, one image after the other, and where each image begins."""
        if self.starts is None:
            return columns, np.arange(len(columns))
        counts = np.diff(np.append(self.starts, len(self.vectors)))[columns]
        begins = np.cumsum(counts) - counts
        return np.repeat(self.starts[columns] - begins, counts) + np.arange(counts.sum()), begins

    def select(self, columns: Integers) -> Self:
        """Return the vectors of some images; where that is all of them, nothing is copied."""
        if np.array_equal(columns, np.arange(self.n_images)):
            return self
        rows, begins = self.rows(columns)
        if self.starts is None:
            return self._replace(vectors=self.vectors[rows])
        names = tuple(self.names[row] for row in rows) if self.names else ()
        return self._replace(vectors=self.vectors[rows], starts=begins, names=names)

    def most(self) -> int:
        """Return how many vectors an image has at most."""
        if self.starts is None:
            return 1
        return int(np.diff(np.append(self.starts, len(self.vectors))).max(initial=1))

    def images_of(self, rows: Integers) -> Integers:
        """Return which image each of some rows belongs to, counted from 0."""
        return rows if self.starts is None else np.searchsorted(self.starts, rows, side="right") - 1

    def blocks(self, most: int) -> Iterator[tuple[int, Vectors, Integers | None]]:
        """Yield ``(start, vectors, begins)``: the vectors of some images at a time, the first of which is ``start``.

        They are at most ``most`` vectors, or those of one image; ``begins`` says where in them each image begins, None
        where each has one.
        """
        if self.starts is None:
            for start in range(0, len(self.vectors), most):
                yield start, self.vectors[start : start + most], None
            return
        ends, start = np.append(self.starts[1:], len(self.vectors)), 0
        while start < len(ends):
            stop = max(start + 1, int(np.searchsorted(ends, self.starts[start] + most, side="right")))
            begins = self.starts[start:stop]
            yield start, self.vectors[begins[0] : ends[stop - 1]], begins - begins[0]
            start = stop

    def longest(self, most: int) -> int:
        """Return how many vectors a block of :meth:`blocks` has at most."""
        return min(len(self.vectors), max(most, self.most()))


def write_views(path: Path, rows: Iterable[ViewRow]) -> None:
    """Write views.csv."""
    write_csv(path, ViewRow._fields, rows)


def read_views(path: Path) -> list[ViewRow]:
    """Read views.csv.

    Raises:
        InputError: it is not there, or no such table.
    """
    return [ViewRow(row["image_id"], row["view"]) for row in read_csv(path, ViewRow._fields)]


def read_image_vectors(path: Path, views: Path, image_ids: Sequence[str] | None = None) -> ImageVectors:
    """Read the vectors of a gallery, memory-mapped.

    Args:
        path: of the matrix.
        views: says whose rows they are.
        image_ids: of the gallery, in order, if they are known: where each has one row, ``views`` is not read.

    Raises:
        InputError: there is no matrix, or it is that of another gallery.
    """
    try:
        vectors: Vectors = np.load(path, mmap_mode="r")
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"expected a matrix in {path}, found: {one_line(error)}; run `dvc repro`") from None
    if image_ids is not None and vectors.ndim == 2 and len(vectors) == len(image_ids):
        return ImageVectors(vectors)
    rows = read_views(views)
    starts = view_starts([row.image_id for row in rows])
    there = [rows[start].image_id for start in starts]
    if vectors.ndim != 2 or len(rows) != len(vectors) or there != list(image_ids or there):
        raise InputError(
            f"expected a row for each of the {len(rows)} views of {len(image_ids or there)} images in {path}, as {views} "
            f"lists them, found the shape {vectors.shape}, and views of {len(there)} images; run `dvc repro`"
        )
    if len(starts) == len(rows):
        return ImageVectors(vectors)
    return ImageVectors(vectors, starts, tuple(sys.intern(row.view) for row in rows))


def view_starts(image_ids: Sequence[str]) -> Integers:
    """Return where each image's rows begin, ``(n_images,)`` int64, given the image of every row, image after image."""
    if not len(image_ids):
        return np.empty(0, dtype=np.int64)
    ids = np.asarray(image_ids)
    return np.flatnonzero(np.concatenate([[True], ids[1:] != ids[:-1]]))
