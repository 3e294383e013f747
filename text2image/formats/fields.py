"""What is known of the images as text: the fields that systems search in, data/fields/FIELD.csv.

A field is all that a label source says of the images, whether or not its texts are queries, too: for ``ocr`` every line
that was read with confidence, not only the phrase that stands out.
"""

import json
from collections.abc import Iterable, Sequence
from operator import index
from pathlib import Path
from typing import NamedTuple

from text2image.formats.tables import IF_KNOWN, as_written, read_csv, write_csv

Box = tuple[tuple[int, int], ...]
"""The four corners ``(x, y)`` of a text in pixels of its image, clockwise from the text's top left; () if unknown."""


class FieldText(NamedTuple):
    """A text of an image, in reading order among its others.

    Attributes:
        image_id: of the image.
        text: on one line.
        confidence: in [0, 1]; None where the source gives none.
        box: where on the image it stands; () if it stands nowhere, as a caption.
    """

    image_id: str
    text: str
    confidence: float | None = None
    box: Box = ()


def write_fields(path: Path, texts: Iterable[FieldText]) -> None:
    """Write texts, image by image."""
    rows = (
        (
            one.image_id,
            one.text,
            "" if one.confidence is None else one.confidence,
            json.dumps(one.box) if one.box else "",
        )
        for one in texts
    )
    write_csv(path, FieldText._fields, rows)


def read_fields(path: Path) -> list[FieldText]:
    """Read what :func:`write_fields` wrote.

    Raises:
        InputError: there is no such file, or it is not that.
    """
    with as_written(path, "a confidence and a box of whole numbers, or none, for each text"):
        return [
            FieldText(
                row["image_id"],
                row["text"],
                float(row["confidence"]) if row["confidence"] else None,
                tuple((index(x), index(y)) for x, y in json.loads(row["box"])) if row["box"] else (),
            )
            for row in read_csv(path, FieldText._fields, numbers={"confidence": IF_KNOWN})
        ]


def texts_of_images(texts: Iterable[FieldText], image_ids: Sequence[str]) -> list[list[FieldText]]:
    """Return the texts of each of ``image_ids``, in that order and theirs; those of other images are left out."""
    of_image: dict[str, list[FieldText]] = {image_id: [] for image_id in image_ids}
    for one in texts:
        if one.image_id in of_image:
            of_image[one.image_id].append(one)
    return list(of_image.values())
