"""Batches in which no image answers another's text.

Several images share a text here, and an image has several texts: in a plain batch, a contrastive loss
would push apart what belongs together.
"""

from collections.abc import Mapping, Sequence, Set
from typing import NamedTuple

SMALLEST = 2
"""A single pair has nothing to be told apart from."""


class Pair(NamedTuple):
    """An image and a text that it answers, as rows of whatever holds them."""

    image: int
    query: int


def separate_batches(pairs: Sequence[Pair], size: int, relevant: Mapping[int, Set[int]]) -> list[list[Pair]]:
    """Divide pairs into batches of at most ``size`` in which no two are relevant to each other.

    Each pair goes to the first batch with room that it does not collide with, so that batches are full
    where the data allows it. Batches of a single pair are left out.

    Args:
        pairs: in the order in which they are dealt out.
        size: of a batch.
        relevant: ``{query: images that answer it}``.
    """
    batches: list[list[Pair]] = []
    answered: list[set[int]] = []  # the images that answer a batch's texts
    images: list[set[int]] = []
    first_open = 0
    for pair in pairs:
        mine = relevant[pair.query]
        place = next(
            (
                i
                for i in range(first_open, len(batches))
                if len(batches[i]) < size and pair.image not in answered[i] and not mine & images[i]
            ),
            len(batches),
        )
        if place == len(batches):
            batches.append([])
            answered.append(set())
            images.append(set())
        batches[place].append(pair)
        answered[place] |= mine
        images[place].add(pair.image)
        while first_open < len(batches) and len(batches[first_open]) >= size:
            first_open += 1
    return [batch for batch in batches if len(batch) >= SMALLEST]
