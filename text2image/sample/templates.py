"""Campaigns made from a template, as advertisers make them: one design, in which one thing differs from ad to ad.

The ads of such a campaign look much alike and are different advertisements: another product, another price,
another colour of the product or another headline. Beside them stand altered copies of some, which are the same
advertisement again. They show whether what finds near-duplicates can tell the one from the other.
"""

import re
from collections.abc import Sequence
from random import Random
from typing import NamedTuple

from text2image.sample import wording
from text2image.sample.alterations import ALTERATIONS
from text2image.sample.cutouts import Cutout
from text2image.sample.plan import (
    Design,
    Rendition,
    altered,
    draw_design,
    draw_figures,
    draw_texts,
    file_path,
    offers_for,
    seeded,
    shuffled,
)
from text2image.sample.render import drawn_kinds

VARIED = ("product", "price", "colour", "headline")
"""What differs between the ads of a template, by its number modulo 4."""

ADS = 4  # of a template; fewer where the cut-outs do not suffice for so many products
RECOLOURED = {"flowers", "home", "music", "sports", "tools", "toys", "vehicles"}  # come in other colours, too
MIN_COLOURFULNESS = 50  # between the channels of the mean colour, or turning the hue changes little
REACHES = (0.5, 0.7, 1.0)  # how much of its room a template leaves to the product: small ones are harder
COLOUR_WORDS = re.compile(
    r"\b(red|green|blue|yellow|orange|white|black|brown|pink|purple|gr[ae]y|gold|golden|silver|violet|cream|ivory|beige|"
    r"turquoise|teal|magenta|lilac|coral|tan|bronze|brass|chrome|neon|fiery|maple|wood|wooden|natural|light|dark|pale|"
    r"bright|multicoloured|colourful|\w+ish)\b"
)


class Ad(NamedTuple):
    """What an ad of a template shows in its place."""

    cutout: Cutout
    texts: dict[str, str]
    hue: int = 0


def captions_of(cutout: Cutout, hue: int) -> tuple[str, ...]:
    """Return the captions that hold when the product's hues are turned by ``hue``: those that name no colour."""
    return tuple(text for text in cutout.captions if not hue or not COLOUR_WORDS.search(text))


def plan_template(seed: int, number: int, cutouts: Sequence[Cutout]) -> list[Rendition]:
    """Return the ads of one template; one of them is followed by an altered copy.

    Args:
        seed, number: what everything is drawn from; ``number`` also chooses what varies and the alteration.
        cutouts: the products; all are possible ones.
    """
    campaign, varies = f"template-{number}", VARIED[number % len(VARIED)]
    rng = seeded(f"{seed}/{campaign}")
    cutout = _first_product(seed, number, varies, cutouts)
    ads = _draw_ads(rng, varies, cutout, cutouts)
    design = _draw_template(rng, varies, ads)
    alteration, copied = tuple(ALTERATIONS)[number % len(ALTERATIONS)], rng.randrange(len(ads))
    first, quality = rng.randrange(2), rng.randint(82, 92)
    plan: list[Rendition] = []
    for place, ad in enumerate(ads):
        folder = (first + place) % 2
        kind, path = "rendition" if place else "original", file_path(seed, campaign, place, folder, "jpg")
        head = Rendition(campaign, place, kind, path, ad.cutout, design, ad.texts, quality, place)
        original = head._replace(varies=varies, hue=ad.hue)
        plan.append(original)
        if place == copied:
            path = file_path(seed, campaign, len(ads), 1 - folder, "jpg")
            touch = ALTERATIONS[alteration](rng, design.size)
            plan.append(altered(original, len(ads), path, alteration, touch))
    return plan


def _first_product(seed: int, number: int, varies: str, cutouts: Sequence[Cutout]) -> Cutout:
    """Return the template's product, which few of the other campaigns show as long as there are others."""
    unused_first = shuffled(seed, cutouts)[::-1]
    if varies != "colour":
        return unused_first[number % len(unused_first)]
    colourful = [
        cutout
        for cutout in unused_first
        if cutout.category in RECOLOURED
        and max(cutout.colour) - min(cutout.colour) >= MIN_COLOURFULNESS
        and captions_of(cutout, 1)
    ]
    choice = colourful or unused_first
    return choice[number // len(VARIED) % len(choice)]


def _draw_ads(rng: Random, varies: str, cutout: Cutout, cutouts: Sequence[Cutout]) -> list[Ad]:
    """Return what the ads of one template show: alike but for what ``varies``."""
    texts, _ = draw_texts(rng, cutout)
    words = wording.WORDINGS[cutout.category]
    if varies == "product":
        rest = [item for item in cutouts if item != cutout]
        rng.shuffle(rest)
        rest.sort(key=lambda item: item.category != cutout.category)  # first those of the same category
        plain = next(line for line in wording.alternatives(words.headlines) if "{name}" not in line)
        return [Ad(item, texts | {"headline": plain}) for item in [cutout, *rest[: ADS - 1]]]
    if varies == "colour":
        hues = rng.sample(range(32, 256, 32), ADS - 1)
        return [Ad(cutout, texts, hue) for hue in (0, *hues)]
    if varies == "headline":
        name = cutout.path.stem.replace("-", " ")
        lines = rng.sample(wording.alternatives(words.headlines), ADS)
        return [Ad(cutout, texts | {"headline": line.format(name=name)}) for line in lines]
    return [Ad(cutout, texts | {"price": price}) for price in _prices(rng, words)]


def _prices(rng: Random, words: wording.Wording) -> list[str]:
    """Return offers that differ in their digits alone, so that they take the same place."""
    amount, figures = draw_figures(rng, words)
    offer = rng.choice(offers_for(amount))
    prices = [offer.format(**figures)]
    while len(prices) < ADS:
        price = offer.format(**draw_figures(rng, words)[1])
        if len(price) == len(prices[0]) and price not in prices:
            prices.append(price)
    return prices


def _draw_template(rng: Random, varies: str, ads: Sequence[Ad]) -> Design:
    """Draw a design in which there is room for what varies, in every ad."""
    needed = {"headline", "price"} if varies == "price" else {"headline"}
    while True:
        design = draw_design(rng, ads[0].cutout, [])._replace(reach=rng.choice(REACHES))
        if varies == "price":
            design = design._replace(badge=False)
        if all(needed <= drawn_kinds(design, ad.texts) for ad in ads):
            return design
