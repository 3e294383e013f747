"""Sizes of advertisements and the places of product and text in them, as fractions of the canvas."""

from typing import NamedTuple

Size = tuple[int, int]  # width, height in pixels
Area = tuple[float, float, float, float]  # left, top, right, bottom as fractions in 0..1
Box = tuple[int, int, int, int]  # left, top, right, bottom in pixels

# Sizes of display and social advertisements, with how often each is drawn.
SIZES: dict[Size, int] = {
    (300, 250): 6,
    (336, 280): 5,
    (728, 90): 4,
    (970, 250): 4,
    (300, 600): 4,
    (160, 600): 3,
    (320, 100): 3,
    (250, 250): 3,
    (1200, 628): 2,
    (1080, 1080): 2,
    (970, 90): 2,
    (468, 60): 1,
}
# Sizes with the same proportions: one is the other, scaled.
SCALED: dict[Size, Size] = {(300, 250): (336, 280), (336, 280): (300, 250)}


class Column(NamedTuple):
    """An area of the canvas that holds the named texts, one below the other."""

    area: Area
    kinds: tuple[str, ...]


class Layout(NamedTuple):
    """Where the product stands and where the columns of text are; ``centred`` aligns their lines."""

    product: Area
    columns: tuple[Column, ...]
    centred: bool = False


HEAD = ("brand", "headline")
ACTION = ("body", "price", "button", "terms")

LAYOUTS: dict[str, tuple[Layout, ...]] = {
    "strip": (
        Layout(
            (0.015, 0.05, 0.19, 0.95),
            (Column((0.21, 0.06, 0.69, 0.94), HEAD), Column((0.71, 0.08, 0.98, 0.92), ("price", "button"))),
        ),
        Layout(
            (0.46, 0.05, 0.66, 0.95),
            (Column((0.025, 0.06, 0.45, 0.94), HEAD), Column((0.7, 0.08, 0.98, 0.92), ("price", "button"))),
        ),
    ),
    "wide": (
        Layout((0.02, 0.05, 0.35, 0.95), (Column((0.38, 0.06, 0.96, 0.94), HEAD + ACTION),)),
        Layout(
            (0.4, 0.05, 0.66, 0.95),
            (Column((0.03, 0.08, 0.39, 0.92), HEAD), Column((0.68, 0.08, 0.97, 0.92), ACTION)),
        ),
    ),
    "roomy": (
        Layout((0.52, 0.07, 0.96, 0.93), (Column((0.05, 0.07, 0.5, 0.93), HEAD + ACTION),)),
        Layout(
            (0.46, 0.37, 0.96, 0.95),
            (Column((0.05, 0.05, 0.95, 0.34), HEAD), Column((0.05, 0.4, 0.44, 0.94), ACTION)),
        ),
        Layout(
            (0.2, 0.33, 0.8, 0.73),
            (Column((0.06, 0.05, 0.94, 0.32), HEAD), Column((0.06, 0.75, 0.94, 0.96), ("button", "terms"))),
            centred=True,
        ),
    ),
    "compact": (
        Layout(
            (0.46, 0.43, 0.96, 0.96),
            (Column((0.05, 0.05, 0.95, 0.41), HEAD), Column((0.05, 0.46, 0.45, 0.95), ("price", "button"))),
        ),
        Layout(
            (0.12, 0.36, 0.88, 0.77),
            (Column((0.05, 0.04, 0.95, 0.36), HEAD), Column((0.08, 0.79, 0.92, 0.95), ("button",))),
            centred=True,
        ),
        Layout((0.1, 0.04, 0.9, 0.46), (Column((0.05, 0.5, 0.95, 0.95), HEAD + ACTION),), centred=True),
    ),
    "tall": (
        Layout(
            (0.06, 0.31, 0.94, 0.65),
            (Column((0.06, 0.03, 0.94, 0.3), HEAD), Column((0.06, 0.67, 0.94, 0.97), ACTION)),
            centred=True,
        ),
        Layout((0.06, 0.03, 0.94, 0.4), (Column((0.06, 0.42, 0.94, 0.97), HEAD + ACTION),)),
        Layout((0.05, 0.58, 0.95, 0.97), (Column((0.06, 0.03, 0.94, 0.57), HEAD + ACTION),)),
    ),
}


def shape(size: Size) -> str:
    """Return the key of :data:`LAYOUTS` for a canvas of ``size``."""
    width, height = size
    ratio = width / height
    if ratio >= 4.5:
        return "strip"
    if ratio >= 2.2:
        return "wide"
    if ratio < 0.8:
        return "tall"
    return "roomy" if width >= 600 else "compact"


def mirrored(layout: Layout) -> Layout:
    """Return ``layout`` with left and right exchanged."""

    def flip(area: Area) -> Area:
        return 1 - area[2], area[1], 1 - area[0], area[3]

    columns = tuple(Column(flip(column.area), column.kinds) for column in layout.columns)
    return Layout(flip(layout.product), columns, layout.centred)


def pixels(area: Area, size: Size) -> Box:
    """Return ``area`` on a canvas of ``size``, rounded to whole pixels."""
    width, height = size
    return round(area[0] * width), round(area[1] * height), round(area[2] * width), round(area[3] * height)
