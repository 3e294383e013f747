"""data/splits/NAME.csv and data/set_aside.csv: which data a fine-tuned model has seen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from text2image.base.console import InputError, one_line
from text2image.collection.locations import Location
from text2image.collection.manifest import ImageFile
from text2image.formats.tables import read_csv, write_csv
from text2image.queries.split import PARTS, SplitRow, leaks

SPLITS = Path("data/splits")
SET_ASIDE = Path("data/set_aside.csv")
SHOWN_LEAKS = 3


class SetAside(NamedTuple):
    """Images and queries that no model is measured on, because a fine-tuned one may have seen them."""

    images: frozenset[str]
    queries: frozenset[str]


class AsideRow(NamedTuple):
    """A row of data/set_aside.csv: ``kind`` is image or query; ``part`` that of the run ``run``."""

    kind: str
    id: str
    run: str
    part: str


def write_split(path: Path, rows: Sequence[SplitRow]) -> None:
    """Write a split, a row a relevant pair."""
    write_csv(path, SplitRow._fields, rows)


def read_split(run: str, group_of: Mapping[str, int]) -> list[SplitRow]:
    """Read the split of a fine-tuning run and check it.

    Raises:
        InputError: it is not such a file, or something is in two parts.
    """
    path = SPLITS / f"{run}.csv"
    rows = [
        SplitRow(row["part"], row["image_id"], row["query_id"], row["text"], int(row["relevance"]))
        for row in read_csv(path, SplitRow._fields)
    ]
    unknown = sorted({row.part for row in rows} - set(PARTS))
    if unknown:
        raise InputError(f"expected the parts {', '.join(PARTS)} in {path}, found {one_line(unknown)}")
    check_split(rows, group_of, path)
    return rows


def check_split(rows: Sequence[SplitRow], group_of: Mapping[str, int], path: Path) -> None:
    """Refuse a split in which an image, a near-duplicate of it or a text is in two parts."""
    found = leaks(rows, group_of)
    if found:
        more = f" and {len(found) - SHOWN_LEAKS} more" if len(found) > SHOWN_LEAKS else ""
        raise InputError(
            f"expected every image, near-duplicate group and query of {path} in one part, "
            f"found a leak: {'; '.join(map(one_line, found[:SHOWN_LEAKS]))}{more}"
        )


def read_set_aside(path: Path = SET_ASIDE) -> SetAside:
    """Read what is set aside; nothing unless a fine-tuned model is in use."""
    rows = read_csv(path, AsideRow._fields)
    images, queries = (frozenset(r["id"] for r in rows if r["kind"] == kind) for kind in ("image", "query"))
    return SetAside(images, queries)


def measured(images: Iterable[ImageFile], aside: SetAside) -> dict[str, Location]:
    """Return ``{image_id: path}`` of the images that are not set aside."""
    return {image_id: path for image_id, path in images if image_id not in aside.images}


def without(qrels: Mapping[str, Mapping[str, int]], aside: SetAside) -> dict[str, dict[str, int]]:
    """Return relevance without what is set aside: queries, images, and queries left with no image."""
    left = {
        query: {image: grade for image, grade in images.items() if image not in aside.images}
        for query, images in qrels.items()
        if query not in aside.queries
    }
    return {query: images for query, images in left.items() if images}
