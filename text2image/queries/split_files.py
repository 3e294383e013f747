"""Files of splits: a row a relevant pair with its part, refused where something is in two parts."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from text2image.base.console import InputError, one_line
from text2image.formats.tables import read_csv, write_csv
from text2image.queries.split import PARTS, SplitRow, leaks

SHOWN_LEAKS = 3


def write_split(path: Path, rows: Sequence[SplitRow], group_of: Mapping[str, int]) -> None:
    """Write a split, a row a relevant pair.

    Raises:
        InputError: something is in two parts.
    """
    _check_leaks(rows, group_of, path)
    write_csv(path, SplitRow._fields, rows)


def read_split(path: Path, group_of: Mapping[str, int]) -> list[SplitRow]:
    """Read a split and check it.

    Raises:
        InputError: it is not such a file, or something is in two parts.
    """
    rows = [
        SplitRow(row["part"], row["image_id"], row["query_id"], row["text"], int(row["relevance"]))
        for row in read_csv(path, SplitRow._fields)
    ]
    unknown = sorted({row.part for row in rows} - set(PARTS))
    if unknown:
        raise InputError(f"expected the parts {', '.join(PARTS)} in {path}, found {one_line(unknown)}")
    _check_leaks(rows, group_of, path)
    return rows


def _check_leaks(rows: Sequence[SplitRow], group_of: Mapping[str, int], path: Path) -> None:
    """Refuse a split in which an image, a near-duplicate of it or a text is in two parts."""
    sentences = leaks(rows, group_of)
    if sentences:
        more = f" and {len(sentences) - SHOWN_LEAKS} more" if len(sentences) > SHOWN_LEAKS else ""
        raise InputError(
            f"expected every image, near-duplicate group and query of {path} in one part, "
            f"found a leak: {'; '.join(map(one_line, sentences[:SHOWN_LEAKS]))}{more}"
        )
