"""Made-up advertisements of templates, which differ in one thing, and altered copies of some of them."""

from __future__ import annotations

import io
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageEnhance, ImageFont
from sklearn.metrics.cluster import pair_confusion_matrix

from tests.support.pictures import encoded
from tests.support.pipeline import REPOSITORY
from text2image.artifacts import ARTIFACTS
from text2image.sample.picture import turn_hue

CUTOUTS = sorted((REPOSITORY / ARTIFACTS.cutouts).glob("*.webp"))
SIZES = (
    (300, 250),
    (728, 90),
    (336, 280),
    (300, 600),
    (970, 250),
    (600, 314),
    (160, 600),
    (320, 100),
    (600, 600),
)
HEADLINES = (
    "Made to last", "Now in store", "For your home", "Delivered tomorrow", "Half the price", "You will love it",
    "Fresh today", "Back again", "New arrivals", "Last chance", "Best of summer", "Save more",
)  # fmt: skip
CHANGES = ("product", "price", "colour", "headline")
ALTERATIONS = ("crop", "scale", "jpeg", "brightness", "mix")
VISIBLE_PIXELS, VISIBLE_LEVELS = 0.001, 70.0
"""Two ads differ visibly if their most different pixels, this share of all, do so by this mean of levels."""


class Ad(NamedTuple):
    """An image, the ad that it shows (a number), in what the ads of its template differ, and how it was altered."""

    image: Image.Image
    shows: int
    change: str
    alteration: str


class Template(NamedTuple):
    """What the ads of a template share: the background, and where the product and the words lie, in pixels."""

    ground: Image.Image
    ink: str
    product: tuple[float, float, float]
    words: tuple[float, float, int]


class Content(NamedTuple):
    """What an ad shows and says; ``hue`` turns the product's colours by so many of 256 steps."""

    product: Path
    price: int
    hue: int
    headline: str


def ads(seed: int, templates: int, of_each: int, copies: int) -> list[Ad]:
    """Return the ads of templates and copies of some, each altered in one way; no two ads look the same."""
    rng = np.random.default_rng(seed)
    made: list[Ad] = []
    for number in range(templates):
        template, content, change = draw_template(rng), draw_content(rng), CHANGES[number % len(CHANGES)]
        drawn: list[Image.Image] = []
        for _ in range(of_each):
            image = draw(template, changed(content, change, rng))
            if all(visibly_differ(image, other) for other in drawn):
                drawn.append(image)
                made.append(Ad(saved(image, 88), len(made), change, "none"))
    chosen = rng.permutation(len(made))[:copies].tolist()
    for number, index in enumerate(chosen):
        kind = ALTERATIONS[number % len(ALTERATIONS)]
        made.append(made[index]._replace(image=altered(made[index].image, kind, rng), alteration=kind))
    return made


def draw_template(rng: np.random.Generator) -> Template:
    size = width, height = SIZES[rng.integers(len(SIZES))]
    plain, kind = tuple(rng.integers(180, 256, 3).tolist()), rng.integers(3)
    if kind == 0:
        ground = Image.new("RGB", size, plain)
    else:  # a gradient, or a blurred photo
        cells = (2, 1) if kind == 1 else (6, 6)
        corners = rng.integers(0, 256, (*cells, 3), dtype=np.uint8)
        ground = Image.fromarray(corners).resize(size, Image.Resampling.BICUBIC)
    side = min(size) * rng.uniform(0.35, 0.85)
    place = (side, rng.uniform(0.02, 0.6) * (width - side), rng.uniform(0.05, 0.9) * (height - side))
    letters = max(10, int(min(height * 0.22, width * 0.09)))
    words = (rng.uniform(0.05, 0.45) * width, rng.uniform(0.05, 0.7) * height, letters)
    return Template(ground, "white" if kind else "black", place, words)


def draw_content(rng: np.random.Generator) -> Content:
    headline = HEADLINES[rng.integers(len(HEADLINES))]
    return Content(CUTOUTS[rng.integers(len(CUTOUTS))], int(rng.integers(5, 95)), 0, headline)


def changed(content: Content, change: str, rng: np.random.Generator) -> Content:
    other = draw_content(rng)
    if change == "colour":
        return content._replace(hue=int(rng.integers(1, 8)) * 32)
    return content._replace(**{change: getattr(other, change)})


def draw(template: Template, content: Content) -> Image.Image:
    image = template.ground.copy()
    with Image.open(content.product) as file:
        product = file.convert("RGBA")
    side, left, top = template.product
    product.thumbnail((side, side))
    product = turn_hue(product, content.hue)
    image.paste(product, (int(left), int(top)), product)
    across, down, letters = template.words
    pen = ImageDraw.Draw(image)
    pen.text((across, down), content.headline, font=ImageFont.load_default(letters), fill=template.ink)
    price, font = f"{content.price}.90", ImageFont.load_default(letters * 0.9)
    pen.text((across, down + letters * 1.3), price, font=font, fill=template.ink)
    return image


def visibly_differ(one: Image.Image, other: Image.Image) -> bool:
    difference = np.abs(np.asarray(one, dtype=np.int64) - np.asarray(other)).max(axis=2).ravel()
    count = max(20, int(difference.size * VISIBLE_PIXELS))
    return bool(np.partition(difference, -count)[-count:].mean() >= VISIBLE_LEVELS)


def saved(image: Image.Image, quality: int) -> Image.Image:
    """Return an image as it comes out of a JPEG."""
    return Image.open(io.BytesIO(encoded(image, "JPEG", quality=quality))).convert("RGB")


def altered(image: Image.Image, kind: str, rng: np.random.Generator) -> Image.Image:
    """Return a copy: cut by up to 3 % at each side, scaled to a half or more, compressed, brightened, or all of it."""
    width, height = image.size
    if kind in ("crop", "mix"):
        left, top, right, bottom = rng.uniform(0.004, 0.03, 4) * (width, height, width, height)
        image = image.crop((int(left), int(top), width - int(right), height - int(bottom)))
    if kind in ("scale", "mix"):
        share = rng.uniform(0.5, 0.95)
        size = (round(image.width * share), round(image.height * share))
        image = image.resize(size, Image.Resampling.LANCZOS)
    if kind in ("brightness", "mix"):
        image = ImageEnhance.Brightness(image).enhance(rng.uniform(0.88, 1.12))
    return saved(image, int(rng.integers(35, 60) if kind == "jpeg" else rng.integers(60, 90)))


def pair_quality(
    given: npt.NDArray[np.int64], true: npt.NDArray[np.int64]
) -> tuple[int, float | None, float | None]:
    """Return how well groups agree with the true ones, counted in pairs of items of one group.

    Args:
        given, true: ``(n,)`` int64, the group of each item.

    Returns:
        The number of true pairs; the precision: the share of given pairs that are true; the recall:
        the share of true pairs that are given. None where there is no pair to divide by.
    """
    (_, wrong), (missed, both) = pair_confusion_matrix(true, given).tolist()  # which counts every pair twice
    n_given, n_true = both + wrong, both + missed
    return n_true // 2, both / n_given if n_given else None, both / n_true if n_true else None
