"""Kinds of texts: short words by which people tell the texts of their captions file apart, such as ``headline``.

They are free: figures are given for the queries of each kind. A text may be of several kinds, and counts in each.
"""

from collections.abc import Iterable

from text2image.formats.texts import normalise_text

MAX_KIND = 40  # characters
MAX_KINDS = 20  # in a file: more are no kinds, but a column of other things that has their name
SEPARATOR = ";"


def split_kinds(cell: str) -> tuple[str, ...]:
    """Return the kinds that a cell names: on one line, in lower case, each once, sorted; none of a blank cell.

    >>> split_kinds(" Product;headline ; product"), split_kinds(" ")
    (('headline', 'product'), ())
    """
    names = (normalise_text(name).lower() for name in cell.split(SEPARATOR))
    return tuple(sorted({name for name in names if name}))


def join_kinds(kinds: Iterable[str]) -> str:
    """Return a cell that :func:`split_kinds` reads.

    >>> join_kinds({"product", "headline"})
    'headline; product'
    """
    return f"{SEPARATOR} ".join(sorted(set(kinds)))
