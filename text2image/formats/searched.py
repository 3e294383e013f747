"""data/qrels/searched.csv: the images that are searched, with their rows in every matrix of image vectors."""

from collections.abc import Container, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from text2image.base.arrays import Integers
from text2image.formats.tables import as_written, read_csv, write_csv

COLUMNS = ("row", "image_id")


class Searched(NamedTuple):
    """The images that are searched, in the order of their ids.

    Attributes:
        rows: ``(n_images,)`` int64, ascending: each image's row in data/embeddings/MODEL/images.npy.
        image_ids: ``n_images`` ids, in the same order.
    """

    rows: Integers
    image_ids: list[str]


def write_searched(path: Path, gallery: Sequence[str], excluded: Container[str] = ()) -> int:
    """Write the images of ``gallery``, which is all ids sorted, that are not ``excluded``; return their number."""
    rows = [(row, image_id) for row, image_id in enumerate(gallery) if image_id not in excluded]
    write_csv(path, COLUMNS, rows)
    return len(rows)


def read_searched(path: Path) -> Searched:
    """Read what :func:`write_searched` wrote.

    Raises:
        InputError: there is no such file, or it is not that.
    """
    table = read_csv(path, COLUMNS)
    with as_written(path, "whole numbers as row"):
        rows = np.array([int(row["row"]) for row in table], dtype=np.int64)
        if (np.diff(rows, prepend=-1) <= 0).any():
            raise ValueError("rows that do not ascend from 0 or more")
    return Searched(rows, [row["image_id"] for row in table])
