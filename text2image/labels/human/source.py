"""Label source ``human``: texts that people wrote, from a CSV that the stage ``label_inputs`` copied.

The CSV has the columns ``text`` and ``path`` (relative to data.images) or ``image_id``; several rows
an image are several labels. Rows that name no usable image are counted and listed, and a file that
names none at all is an error: images and texts are never matched by guesswork.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from text2image.base.console import InputError, one_line
from text2image.base.settings import Section
from text2image.collection.manifest import ImageFile
from text2image.formats.tables import Row, read_csv
from text2image.labels.protocol.source import Answer, Context, Label, Labeler, NoLabel


class Settings(Section):
    """The section ``label.human`` of params.yaml."""

    path: str


def check_columns(path: Path) -> list[Row]:
    """Read a CSV of human labels.

    Raises:
        InputError: it has no ``text``, or neither ``path`` nor ``image_id``, or no row.
    """
    key = "label.human.path"
    rows = read_csv(path, ["text"], key=key)
    if not rows:
        raise InputError(f"expected rows of labels in {path} (params key {key}), found only a header")
    if not {"path", "image_id"} & rows[0].keys():
        raise InputError(
            f"expected the columns path,text or image_id,text in {path} (params key {key}), "
            f"found {one_line(','.join(rows[0]))}"
        )
    return rows


def labeler(settings: Settings, context: Context) -> Labeler:
    """Return the labeler that reads the CSV; its answers cost nothing and are not stored."""
    image_of_path = {entry.path: entry.image_id for entry in context.manifest}
    known = set(image_of_path.values())
    texts: dict[str, list[str]] = defaultdict(list)
    strays = []
    for row in check_columns(context.inputs):
        image_id = row.get("image_id") or image_of_path.get(row.get("path", ""), "")
        if image_id in known:
            texts[image_id].append(row["text"])
        else:
            strays.append(NoLabel(row.get("path") or image_id, "names no usable image"))
    if not texts:
        raise InputError(
            f"expected labels of images in {context.images} (params key data.images) in "
            f"{settings.path} (params key label.human.path), found {len(strays)} rows that name "
            f"none, such as {one_line(strays[0].image_id)}; give a file for these images or take human out of label.sources"
        )

    def ask(images: Sequence[ImageFile]) -> Iterator[tuple[str, Answer]]:
        for image in images:
            yield image.image_id, {"texts": texts.get(image.image_id, [])}

    return Labeler(determinants=None, ask=ask, read=read, strays=strays)


def read(image_id: str, answer: Answer) -> Iterable[Label | NoLabel]:
    """Return a label a distinct text; an image that nobody described is listed as such."""
    if not answer["texts"]:
        return [NoLabel(image_id, "no text given")]
    return [Label(image_id, text, None) for text in dict.fromkeys(answer["texts"])]
