"""The cut-outs: photographed objects on a transparent ground, with captions and a category."""

from collections import defaultdict
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from PIL import Image, UnidentifiedImageError

from text2image.base.console import InputError, one_line
from text2image.formats.tables import read_csv
from text2image.sample.colour import Colour
from text2image.sample.wording import WORDINGS

FORMATS = ("WEBP", "PNG", "JPEG")


class Cutout(NamedTuple):
    """A cut-out: its file, size in pixels, mean colour of what is opaque, category and captions."""

    path: Path
    size: tuple[int, int]
    colour: Colour
    category: str
    captions: tuple[str, ...]


@lru_cache(maxsize=256)
def load_cutout(path: Path) -> Image.Image:
    """Return the decoded RGBA picture; the last 256 are kept, about 0.2 MB each."""
    with Image.open(path, formats=FORMATS) as picture:
        return picture.convert("RGBA")


def read_cutouts(folder: Path) -> list[Cutout]:
    """Return the captioned cut-outs of ``folder``, sorted by file name.

    Raises:
        InputError: a table is missing or lacks a column, or names a file that is not a picture.
    """
    captions, categories = folder / "captions.csv", folder / "categories.csv"
    texts = defaultdict(list)
    for row in read_csv(captions, ["cutout", "text"]):
        texts[row["cutout"]].append(row["text"])
    category_of = {row["cutout"]: row["category"] for row in read_csv(categories, ["cutout", "category"])}
    if not texts:
        raise InputError(f"expected captions in {captions}, found none")
    cutouts = []
    for file in sorted(texts):
        category = category_of.get(file)
        if category not in WORDINGS:
            names = ", ".join(sorted(WORDINGS))
            raise InputError(
                f"expected a category of {file} in {categories} out of {names}, found {category!r}"
            )
        size, colour = _measure(folder / file, captions)
        cutouts.append(Cutout(folder / file, size, colour, category, tuple(texts[file])))
    return cutouts


def _measure(path: Path, table: Path) -> tuple[tuple[int, int], Colour]:
    """Return the size of the picture that ``table`` names, and the mean colour of its opaque part."""
    try:
        picture = load_cutout(path)
    except FileNotFoundError:
        raise InputError(f"expected the picture {path} that {table} names, found no such file") from None
    except (UnidentifiedImageError, OSError) as error:
        raise InputError(f"expected a picture in {path}, found: {one_line(error)}") from None
    *channels, alpha = picture.convert("RGBa").resize((1, 1), Image.Resampling.BOX).tobytes()
    share = max(1, alpha) / 255
    red, green, blue = (min(255, round(channel / share)) for channel in channels)
    return picture.size, (red, green, blue)
