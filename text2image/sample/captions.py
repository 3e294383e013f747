"""What people write who look for one of the advertisements, each text with its kind.

``product`` texts say what is to be seen: the captions of the cut-outs. ``headline`` texts are what somebody remembers of
the words, most of the headline and the brand; ``both`` name the product as well. People remember words in lower case,
sometimes in another order or without one of them, and nothing that is not on the advertisement. All that carry the same
words carry the same texts. A headline alone that several campaigns have tells none of them, so nobody asks for it.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from random import Random
from typing import NamedTuple

from text2image.sample.cutouts import Cutout
from text2image.sample.plan import seeded
from text2image.sample.templates import COLOUR_WORDS, captions_of

PRODUCT, HEADLINE, BOTH = KINDS = ("product", "headline", "both")
MORE = 0.5  # how often a second person remembers an advertisement
FORGETS = 0.5  # how often one of three words or more is forgotten
TURNS = 0.3  # how often the halves of a headline change places
UNIMPORTANT = re.compile("a|an|any|at|be|by|for|in|is|it|on|or|our|so|that|the|them|this|to|we|you|your")
WORD = re.compile(r"[\w'’&-]+")


class Shown(NamedTuple):
    """What can be remembered of a file: a part of :class:`text2image.sample.compose.Truth`; "" is not drawn."""

    path: str
    campaign: str
    cutout: str
    hue: int
    varies: str
    headline: str
    brand: str


class Caption(NamedTuple):
    """A row of data/sample_captions.csv."""

    path: str
    text: str
    kind: str


def write_captions(files: Sequence[Shown], cutouts: Mapping[str, Cutout], seed: int) -> Iterator[Caption]:
    """Yield the captions of every file, in their order: of its product, of its words, of both.

    Args:
        files: what each shows.
        cutouts: by the name of the file.
        seed: what people remember is drawn from it, and from the words alone.
    """
    campaigns = defaultdict(set)
    for file in files:
        campaigns[file.headline].add(file.campaign)
    for file in files:
        cutout = cutouts[file.cutout]
        products = captions_of(cutout, file.hue)
        telling = len(campaigns[file.headline]) == 1
        headlines = list(_headlines(file, seed, telling=telling)) if file.headline else []
        both = list(_both(file, _named(file, cutout, products), seed)) if file.headline else []
        for kind, texts in zip(KINDS, (products, headlines, both), strict=True):
            yield from (Caption(file.path, text, kind) for text in dict.fromkeys(texts))


def _headlines(file: Shown, seed: int, *, telling: bool) -> Iterator[str]:
    """Yield what is remembered of a file's words: with the brand, and without it if the headline is ``telling``."""
    if telling:
        yield remember(_drawn_from(seed, HEADLINE, file.headline), file.headline)
    if file.brand:
        rng = _drawn_from(seed, HEADLINE, file.headline, file.brand)
        for _ in range(1 + (rng.random() < MORE)):
            line, brand = remember(rng, file.headline), spoken(file.brand)
            yield rng.choice((f"{line} {brand}", f"{brand} {line}", f"{line} by {brand}"))


def _both(file: Shown, product: str, seed: int) -> Iterator[str]:
    """Yield what is remembered of a file's words and its product, sometimes with the brand."""
    rng = _drawn_from(seed, BOTH, file.headline, product)
    line = remember(rng, file.headline)
    yield rng.choice((f"{line} {product}", f"{product} {line}"))
    if file.brand:
        rng = _drawn_from(seed, BOTH, file.headline, product, file.brand)
        if rng.random() < MORE:
            line, brand = remember(rng, file.headline), spoken(file.brand)
            yield rng.choice((f"{line} {product} by {brand}", f"{brand} {product} {line}"))


def _named(file: Shown, cutout: Cutout, captions: Sequence[str]) -> str:
    """Return what the product is called; where the headline says that already, what else is said of it.

    Where the ads of a campaign differ in the product's colour, the name has none.
    """
    name = cutout.path.stem.replace("-", " ")
    if name in file.headline.lower():
        return captions[0]
    plain = " ".join(COLOUR_WORDS.sub("", name).split())
    return plain or name if file.varies == "colour" else name


def remember(rng: Random, headline: str) -> str:
    """Return most of a headline's words, two at least, in lower case.

    >>> remember(Random(1), "Little joys, big smiles"), remember(Random(4), "Treat the whole family")
    ('big smiles little joys', 'treat whole family')
    """
    halves = [WORD.findall(half) for half in headline.lower().split(",")]
    if rng.random() < TURNS:
        halves.reverse()
    words = [word for half in halves for word in half]
    if len(words) > 2 and rng.random() < FORGETS:
        unimportant = [place for place, word in enumerate(words) if UNIMPORTANT.fullmatch(word)]
        del words[rng.choice(unimportant or range(len(words)))]
    return " ".join(words)


def spoken(brand: str) -> str:
    """Return a brand as people write it.

    >>> spoken("Fenn & Co.")
    'fenn & co'
    """
    return brand.lower().rstrip(".")


def _drawn_from(seed: int, *words: str) -> Random:
    return seeded("/".join((str(seed), "captions", *words)))
