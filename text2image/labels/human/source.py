"""Label source ``human``: texts that people wrote, from a CSV that the stage ``label_inputs`` read and copied.

The CSV has the columns ``text`` and ``path`` (relative to data.images) or ``image_id``; several rows an image are
several labels. A column ``kind`` says of what kind each text is (:mod:`text2image.formats.kinds`). Rows that name no usable image are counted and listed, and a file that names none at all is an error:
images and texts are never matched by guesswork (see :mod:`text2image.labels.human.matching`).
"""

from collections.abc import Sequence
from typing import Any

from text2image.base.console import InputError, one_line
from text2image.base.settings import Section
from text2image.collection.manifest import ImageFile
from text2image.formats.kinds import MAX_KIND, MAX_KINDS, join_kinds, split_kinds
from text2image.formats.tables import Row, read_csv
from text2image.labels.human.matching import NO_IMAGE, ImagesByPath, Match
from text2image.labels.human.table import KEY, Caption
from text2image.labels.protocol.source import FreeSource, Inputs, Label, NoLabel

COLUMNS = (*Caption._fields, "below")
"""Of the copy of the CSV: a row's line in the file, what it says, and its path below the image folder."""


class Settings(Section):
    """The section ``label.human`` of params.yaml."""

    path: str


class Source(FreeSource):
    """The rows of the CSV."""

    settings: Settings

    def label(self, images: Sequence[ImageFile], inputs: Inputs) -> list[Label | NoLabel]:
        """Return a label a row; images that no row names and rows that name no image are listed."""
        collection, rows = ImagesByPath(inputs.manifest), read_csv(inputs.table, COLUMNS)
        matches = [(row, collection.match(row)) for row in rows]
        kinds, faults = kinds_of(rows, self.settings.path)
        labels = [
            Label(match.image_id, row["text"], None, kind)
            for (row, match), kind in zip(matches, kinds, strict=True)
            if match.image_id
        ]
        unmatched = [(row, match) for row, match in matches if not match.image_id]
        foreign = [row for row, match in matches if match.foreign_id]
        remark = without_image(unmatched, len(rows), collection)
        if not labels:
            raise InputError(
                f"expected labels of the collection's images (params key data.images) in {self.settings.path} "
                f"(params key {KEY}), found that {remark}; paths are relative to data.images: "
                f"{without_folder(rows, collection)}give a file for these images or take human out of label.sources"
            )
        remarks = [remark, ids_ignored(foreign), *faults]
        self._figures = {
            "rows": len(rows),
            "rows_without_image": len(unmatched),
            "foreign_ids_ignored": len(foreign),
            **({"remarks": list(filter(None, remarks))} if any(remarks) else {}),
        }
        unlabelled = [NoLabel(row["path"] or row["image_id"], match.reason) for row, match in unmatched]
        described = {label.image_id for label in labels}
        unlabelled += [NoLabel(i.image_id, "no text given") for i in images if i.image_id not in described]
        return [*labels, *unlabelled]

    def figures(self) -> dict[str, Any]:
        """Return how many rows there are, how many name no image, and a sentence on each kind of fault."""
        return self._figures


def without_image(unmatched: Sequence[tuple[Row, Match]], n_rows: int, collection: ImagesByPath) -> str:
    """Say how many rows mean no image, and why the first does not or what it may mean; nothing if there are none."""
    if not unmatched:
        return ""
    row, match = unmatched[0]
    path = row["path"] or row["image_id"] or "without a path"
    more = ""
    if match.reason != NO_IMAGE:
        more = f": {match.reason}"
    elif row["path"] and (like := collection.suggest(row["path"])):
        more = f"; did you mean {one_line(like, 100)}?"
    names = "names" if len(unmatched) == 1 else "name"
    sure = "" if all(match.reason == NO_IMAGE for _, match in unmatched) else " for sure"
    return (
        f"{len(unmatched):,} of {n_rows:,} rows {names} no image{sure} (first: line {row['line']}, "
        f"{one_line(path, 100)}{more})"
    )


def kinds_of(rows: Sequence[Row], path: str) -> tuple[list[str], list[str]]:
    """Return the kinds of each row's text, joined, and a sentence on each thing that is no kind.

    Names of more than ``MAX_KIND`` characters are none, and a file of more than ``MAX_KINDS`` has none at all: its
    column means something else.
    """
    named = [split_kinds(row["kind"]) for row in rows]
    kept = [[name for name in names if len(name) <= MAX_KIND] for names in named]
    n_kinds = len({name for names in kept for name in names})
    if n_kinds > MAX_KINDS:
        remark = (
            f"the column kind of {path} holds {n_kinds:,} different words; expected at most {MAX_KINDS} kinds of texts, so "
            "it was ignored"
        )
        return [""] * len(rows), [remark]
    long = [
        (row, max(names, key=len))
        for row, names, some in zip(rows, named, kept, strict=True)
        if len(some) < len(names)
    ]
    remarks = []
    if long:
        row, name = long[0]
        remarks = [
            f"{len(long):,} {'row has' if len(long) == 1 else 'rows have'} a kind of more than {MAX_KIND} characters, which "
            f"was ignored (first: line {row['line']}, {one_line(name, 60)})"
        ]
    return [join_kinds(names) for names in kept], remarks


def without_folder(rows: Sequence[Row], collection: ImagesByPath) -> str:
    """Say how many rows would name images without the folders with which all begin; nothing if there are none."""
    paths = [row["path"] for row in rows]
    if not all(paths) or (found := collection.superfluous_folder(paths)) is None:
        return ""
    folder, named = found
    return (
        f"if these are the same images, take {one_line(folder, 100)}/ away before each path, without which "
        f"{named:,} of {len(rows):,} rows name one image; otherwise "
    )


def ids_ignored(rows: Sequence[Row]) -> str:
    """Say that ids were ignored beside paths that name images; nothing if none were."""
    if not rows:
        return ""
    one, lines = len(rows) == 1, [row["line"] for row in rows]
    return (
        f"{len(rows):,} {'row has' if one else 'rows have'} an image_id that is none of the collection's; "
        f"{'its path names' if one else 'their paths name'} an image, so the image_id was ignored "
        f"(line{'' if one else 's'} {', '.join(lines[:5])}{', …' if len(lines) > 5 else ''})"
    )
