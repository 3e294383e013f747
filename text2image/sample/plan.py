"""What a campaign shows and says, drawn at random from (seed, campaign) alone."""

import hashlib
import math
from collections.abc import Sequence
from random import Random
from typing import NamedTuple

from text2image.sample import wording
from text2image.sample.alterations import UNTOUCHED, Touch
from text2image.sample.colour import PALETTES, Palette, blend, contrast
from text2image.sample.cutouts import Cutout
from text2image.sample.layouts import LAYOUTS, SCALED, SIZES, Layout, Size, mirrored, shape
from text2image.sample.picture import MAX_ENLARGEMENT
from text2image.sample.text import FAMILIES, NARROW

# Which campaigns are special, by their number, so that the shares hold in every sample.
COPY_EVERY, COPY_AT = 12, 5  # the second rendition is the same file again
NEAR_EVERY, NEAR_AT = 4, 2  # the second rendition is nearly the same picture
THIRD_EVERY, THIRD_AT = 7, 3  # there is a third rendition

GROUNDS = ("plain", "plain", "disc", "disc", "panel", "panel", "frame")
DENSITIES: tuple[tuple[str, ...], ...] = (
    ("headline", "button"),
    ("brand", "headline"),
    ("brand", "headline", "button"),
    ("brand", "headline", "price", "button"),
    ("brand", "headline", "price", "button"),
    ("brand", "headline", "body", "price", "button", "terms"),
    ("brand", "headline", "body", "price", "button", "terms"),
)
TURNABLE = {"food", "tools", "music", "health"}  # products that need not stand upright
FLIPPABLE = {"food", "flowers", "farm", "pets", "wildlife", "sports"}  # products without lettering


class Design(NamedTuple):
    """How one rendition looks; ``radius`` is the button's, as a share of half its height."""

    size: Size
    layout: Layout
    palette: Palette
    ground: str
    family: str
    kinds: tuple[str, ...]
    badge: bool
    radius: float
    tilt: float  # degrees
    flip: bool
    angle: int  # of the gradient: 0 down, 1 across, 2 diagonal
    reach: float = 1.0  # of the product, as a share of the room that it has


class Rendition(NamedTuple):
    """One file of a campaign.

    Attributes:
        campaign: its number, or the name of a campaign that is made from a template.
        number: of the file in its campaign.
        kind: ``original``, ``rendition``, ``near_duplicate`` or ``copy``.
        path: relative to the sample's folder.
        quality: of the JPEG or WebP file.
        picture: the number of the rendition that it is, or that it is an altered copy of.
        varies: what distinguishes the pictures of its campaign, one of :data:`text2image.sample.quality.DIFFERENCES`.
        alteration: of a near-duplicate, one of :data:`text2image.sample.alterations.ALTERATIONS`; else empty.
        touch: how it was altered.
        hue: by how much the product's colours are turned, in 256ths of the circle of hues.
    """

    campaign: str
    number: int
    kind: str
    path: str
    cutout: Cutout
    design: Design
    texts: dict[str, str]
    quality: int
    picture: int
    varies: str = "design"
    alteration: str = ""
    touch: Touch = UNTOUCHED
    hue: int = 0


def seeded(seed: str) -> Random:
    """Return a generator that is the same for the same words on every machine."""
    return Random(seed)  # noqa: S311 - for variety, not for secrets


def shuffled(seed: int, cutouts: Sequence[Cutout]) -> list[Cutout]:
    """Return the cut-outs in the order in which campaigns show them."""
    order = list(range(len(cutouts)))
    seeded(f"{seed}/cutouts").shuffle(order)
    return [cutouts[place] for place in order]


def plan_campaign(seed: int, campaign: int, cutouts: Sequence[Cutout]) -> list[Rendition]:
    """Return the two or three renditions of a campaign, of which both folders hold at least one."""
    rng = seeded(f"{seed}/{campaign}")
    cutout = shuffled(seed, cutouts)[campaign % len(cutouts)]  # all differ until every one was used once
    first_texts, other_texts = draw_texts(rng, cutout)
    first = rng.randrange(2)
    original = _rendition(rng, (seed, campaign, 0), first, cutout, first_texts, [])
    if campaign % COPY_EVERY == COPY_AT:
        path = file_path(seed, original.campaign, 1, 1 - first, original.path.rpartition(".")[2])
        second = original._replace(number=1, kind="copy", path=path)
    elif campaign % NEAR_EVERY == NEAR_AT:
        second = _near_duplicate(rng, seed, original, 1 - first)
    else:
        texts = rng.choice((first_texts, other_texts))
        second = _rendition(rng, (seed, campaign, 1), 1 - first, cutout, texts, [original.design])
    if campaign % THIRD_EVERY != THIRD_AT:
        return [original, second]
    used = [original.design, second.design]
    third = _rendition(rng, (seed, campaign, 2), rng.randrange(2), cutout, other_texts, used)
    return [original, second, third]


def file_path(seed: int, campaign: str, number: int, folder: int, suffix: str) -> str:
    """Return a neutral path: neither its name nor its order tells what belongs together."""
    digest = hashlib.sha256(f"{seed}/{campaign}/{number}".encode()).hexdigest()
    return f"{folder}/ad_{digest[:10]}.{suffix}"


def draw_texts(rng: Random, cutout: Cutout) -> tuple[dict[str, str], dict[str, str]]:
    """Return two versions of a campaign's texts: same brand and price, other headline and button."""
    words = wording.WORDINGS[cutout.category]
    brand_parts = (wording.BRAND_STARTS, wording.BRAND_ENDS)
    brand = "".join(rng.choice(wording.alternatives(part)) for part in brand_parts)
    name = cutout.path.stem.replace("-", " ")  # such as "film camera"
    amount, figures = draw_figures(rng, words)
    offer = rng.choice(offers_for(amount)).format(**figures)
    badge = rng.choice(wording.BADGE_OFFERS if amount < 100 else wording.BADGE_OFFERS[1:]).format(**figures)
    headlines = rng.sample(wording.alternatives(words.headlines), 2)
    buttons = rng.sample(wording.alternatives(words.buttons), 2)
    body, terms = rng.choice(wording.alternatives(words.bodies)), rng.choice(wording.TERMS)
    shared = {"body": body, "terms": terms, "price": offer, "badge": badge}
    first, other = (
        {"brand": brand, "headline": headline.format(name=name), "button": button, **shared}
        for headline, button in zip(headlines, buttons, strict=True)
    )
    return first, other


def draw_figures(rng: Random, words: wording.Wording) -> tuple[int, dict[str, str | int]]:
    """Return an amount of euros and what offers may say: a price and a percentage."""
    low, high = words.price
    amount = round(math.exp(rng.uniform(math.log(low), math.log(high))))
    cents = rng.choice((50, 90, 95, 99))
    price = f"{amount}.{cents}" if amount < 200 else f"{round(amount, -1):,}"
    return amount, {"price": price, "percent": rng.choice((10, 15, 20, 25, 30, 40, 50))}


def offers_for(amount: int) -> tuple[str, ...]:
    """Return the offers that suit an amount of euros: nobody sells two cars for the price of one."""
    return wording.OFFERS if amount < 200 else wording.OFFERS[:5]


def _rendition(
    rng: Random,
    place: tuple[int, int, int],
    folder: int,
    cutout: Cutout,
    texts: dict[str, str],
    used: Sequence[Design],
) -> Rendition:
    """Draw the design and the file format of one rendition; ``place`` is (seed, campaign, number)."""
    design = draw_design(rng, cutout, used)
    small = design.size[0] * design.size[1] <= 120_000
    suffix = rng.choices(("jpg", "png", "webp"), (78, 11 if small else 0, 11))[0]
    seed, campaign, number = place
    kind, path = "rendition" if number else "original", file_path(seed, str(campaign), number, folder, suffix)
    quality = rng.randint(80, 92)
    return Rendition(str(campaign), number, kind, path, cutout, design, texts, quality, number)


def draw_design(rng: Random, cutout: Cutout, used: Sequence[Design]) -> Design:
    """Draw a design whose size and palette none of the ``used`` ones has."""
    used_sizes, used_palettes = {design.size for design in used}, {design.palette for design in used}
    largest = MAX_ENLARGEMENT * max(cutout.size)
    sizes = [size for size in SIZES if size not in used_sizes and min(size) * 0.42 <= largest]
    size = rng.choices(sizes, [SIZES[item] for item in sizes])[0]
    palettes = [palette for palette in PALETTES if palette not in used_palettes]
    rng.shuffle(palettes)
    visible = [item for item in palettes if contrast(cutout.colour, blend(item.start, item.end, 0.5)) >= 1.8]
    layout = rng.choice(LAYOUTS[shape(size)])
    if rng.random() < 0.5:
        layout = mirrored(layout)
    badge = min(size) >= 250 and rng.random() < 0.6
    return Design(
        size=size,
        layout=layout,
        palette=(visible or palettes)[0],
        ground=rng.choice(GROUNDS),
        family=NARROW if size[0] <= 160 else rng.choice(tuple(FAMILIES)),
        kinds=rng.choice([kinds for kinds in DENSITIES if _fills(layout, kinds, badge)]),
        badge=badge,
        radius=rng.choice((0.25, 0.4, 1.0)),
        tilt=rng.uniform(-12, 12) if cutout.category in TURNABLE else 0.0,
        flip=cutout.category in FLIPPABLE and rng.random() < 0.5,
        angle=rng.randrange(3),
    )


def _fills(layout: Layout, kinds: tuple[str, ...], badge: bool) -> bool:
    """Whether every column of ``layout`` holds one of ``kinds``; with a badge, it alone holds the price."""
    drawn = set(kinds) - ({"price"} if badge else set())
    return all(drawn & set(column.kinds) for column in layout.columns)


def _near_duplicate(rng: Random, seed: int, original: Rendition, folder: int) -> Rendition:
    """Return ``original`` slightly cropped, brightened and recompressed, sometimes scaled."""
    size = SCALED.get(original.design.size) if rng.random() < 0.5 else None
    brightness = rng.choice((0.95, 0.97, 1.03, 1.05))
    crop = rng.uniform(0.002, 0.009)
    path = file_path(seed, original.campaign, 1, folder, "jpg")
    touch = Touch((crop,) * 4, size, brightness, quality=rng.randint(70, 84))
    return altered(original, 1, path, "mixed", touch)


def altered(original: Rendition, number: int, path: str, alteration: str, touch: Touch) -> Rendition:
    """Return the near-duplicate of a rendition that ``touch`` makes."""
    return original._replace(
        number=number,
        kind="near_duplicate",
        path=path,
        quality=touch.quality,
        alteration=alteration,
        touch=touch,
    )
