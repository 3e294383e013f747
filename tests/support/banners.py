"""Advertisements with words whose places are known."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import NamedTuple

from PIL import Image, ImageDraw

from tests.support.pipeline import Project
from text2image.pages.sheets.fonts import font

Area = tuple[float, float, float, float]
"""``(left, top, right, bottom)`` in pixels."""


class Banner(NamedTuple):
    """A picture with one line of words.

    Attributes:
        text: the line.
        size: of the picture, in pixels.
        at: where the line begins.
        height: of its typeface.
        paper: the colour behind it.
    """

    text: str
    size: tuple[int, int] = (600, 300)
    at: tuple[int, int] = (40, 60)
    height: int = 40
    paper: str = "#f4e3c1"

    def area(self, words: str) -> Area:
        """Return where some words of the line stand."""
        face = font(self.height, bold=True)
        start = self.text.index(words)
        left, right = (face.getlength(self.text[:end]) for end in (start, start + len(words)))
        _, top, _, bottom = face.getbbox(words)
        x, y = self.at
        return x + left, y + top, x + right, y + bottom

    def draw(self, path: Path) -> None:
        """Write the picture."""
        path.parent.mkdir(parents=True, exist_ok=True)
        page = Image.new("RGB", self.size, self.paper)
        ImageDraw.Draw(page).text(self.at, self.text, font=font(self.height, bold=True), fill="#1d2b53")
        page.save(path)


ATTACK = "<img src=x onerror=hit()>"
BANNERS = {
    "0/sale.png": Banner("Big SUMMER SALE today"),
    "1/strip.png": Banner("SUMMER SALE 50% off sneakers", (728, 90), (20, 25), 32, "#ffffff"),
    "1/winter.png": Banner("quiet winter boots", (300, 600), (10, 500), 26, "#cfe8ff"),
    "0/attack.png": Banner(ATTACK, (900, 300), height=44),
}
"""Pictures by their paths below data/images."""


def add_banners(project: Project) -> None:
    """Put the banners into a project's images, and label them with what they say."""
    for path, banner in BANNERS.items():
        banner.draw(project.root / "data" / "images" / path)
    with (project.root / "labels.csv").open("a", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(
            (path, banner.text) for path, banner in BANNERS.items()
        )
