"""Label source ``human``: texts that people wrote, from a CSV that the stage ``label_inputs`` copied.

The CSV has the columns ``text`` and ``path`` (relative to data.images) or ``image_id``; several rows
an image are several labels. Rows that name no usable image are counted and listed, and a file that
names none at all is an error: images and texts are never matched by guesswork.
"""

from collections.abc import Sequence
from pathlib import Path

from text2image.base.console import InputError, one_line
from text2image.base.settings import Section
from text2image.collection.manifest import ImageFile
from text2image.formats.tables import Row, read_csv
from text2image.labels.protocol.source import FreeSource, Inputs, Label, NoLabel

KEY = "label.human.path"


class Settings(Section):
    """The section ``label.human`` of params.yaml."""

    path: str


class Source(FreeSource):
    """The rows of the CSV."""

    settings: Settings

    def label(self, images: Sequence[ImageFile], inputs: Inputs) -> list[Label | NoLabel]:
        """Return a label a row; images that no row names and rows that name no image are listed."""
        image_of_path = {entry.path: entry.image_id for entry in inputs.manifest}
        known = set(image_of_path.values())
        labels: list[Label] = []
        unlabelled: list[NoLabel] = []
        for row in read_table(inputs.table):
            image_id = row.get("image_id") or image_of_path.get(row.get("path", ""), "")
            if image_id in known:
                labels.append(Label(image_id, row["text"], None))
            else:
                unlabelled.append(NoLabel(row.get("path") or image_id, "names no usable image"))
        if not labels:
            raise InputError(
                f"expected labels of the collection's images (params key data.images) in {self.settings.path} "
                f"(params key {KEY}), found {len(unlabelled)} rows that name none, such as "
                f"{one_line(unlabelled[0].image_id)}; give a file for these images or take human out of label.sources"
            )
        described = {label.image_id for label in labels}
        unlabelled += [NoLabel(i.image_id, "no text given") for i in images if i.image_id not in described]
        return [*labels, *unlabelled]


def read_table(path: Path) -> list[Row]:
    """Read a CSV of human labels.

    Raises:
        InputError: it has no ``text``, or neither ``path`` nor ``image_id``, or no row.
    """
    rows = read_csv(path, ["text"], key=KEY)
    if not rows:
        raise InputError(f"expected rows of labels in {path} (params key {KEY}), found only a header")
    if not {"path", "image_id"} & rows[0].keys():
        raise InputError(
            f"expected the columns path,text or image_id,text in {path} (params key {KEY}), "
            f"found {one_line(','.join(rows[0]))}"
        )
    return rows
