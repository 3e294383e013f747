"""Rendered banners whose words and products are known, and what is asked of them."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import NamedTuple

from tests.support.pipeline import REPOSITORY
from text2image.artifacts import ARTIFACTS
from text2image.sample.cutouts import Cutout, read_cutouts
from text2image.sample.layouts import Size
from text2image.sample.plan import Rendition, draw_design
from text2image.sample.render import draw, drawn_kinds

ADJECTIVES = (
    "Bright", "Quiet", "Golden", "Frozen", "Secret", "Royal", "Crystal", "Electric", "Gentle", "Hidden", "Velvet", "Wild",
    "Honest", "Modern", "Silver", "Northern", "Perfect", "Simple", "Summer", "Winter",
)  # fmt: skip
NOUNS = (
    "Harbour", "Promise", "Weekend", "Garden", "Journey", "Morning", "Kitchen", "Festival", "Holiday", "Library", "Mountain",
    "Palace", "Question", "Rhythm", "Season", "Theatre", "Village", "Window", "Delivery", "Membership",
)  # fmt: skip
ENDS = (
    "starts here", "for everyone", "from Monday", "made easy", "without limits", "is back", "at half price", "this week",
    "just for you", "on the house",
)  # fmt: skip
BUTTONS = ("Shop now", "Find out more", "Order today", "See offers")
SIZES: tuple[Size, ...] = ((300, 250), (336, 280), (250, 250))
"""Small, so that they are quickly read, and nearly square, so that an encoder sees all of them."""


class Banner(NamedTuple):
    """A banner: its file, its headline, unlike that of any other, and its product."""

    path: Path
    headline: str
    product: Cutout


def banners(seed: int, count: int, folder: Path) -> list[Banner]:
    """Render banners into ``folder``; products repeat once every one was used."""
    rng, cutouts = Random(seed), read_cutouts(REPOSITORY / ARTIFACTS.cutouts)
    rng.shuffle(cutouts)
    pairs = rng.sample([(one, other) for one in ADJECTIVES for other in NOUNS], count)
    made = []
    for number, words in enumerate(pairs):
        headline, product = f"{' '.join(words)} {rng.choice(ENDS)}", cutouts[number % len(cutouts)]
        path = folder / f"{number:03}.png"
        draw(planned(rng, product, {"headline": headline, "button": rng.choice(BUTTONS)})).image.save(path)
        made.append(Banner(path, headline, product))
    return made


def planned(rng: Random, product: Cutout, texts: dict[str, str]) -> Rendition:
    """Draw a design in which there is room for the headline."""
    while True:
        design = draw_design(rng, product, [])
        design = design._replace(size=rng.choice(SIZES), kinds=("headline", "button"), badge=False)
        if "headline" in drawn_kinds(design, texts):
            return Rendition("", 0, "original", "", product, design, texts, 90, 0)
