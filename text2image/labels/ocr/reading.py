"""Lines of text found on an image: their reading order, and the phrase that stands out.

The phrase that people remember of an advertisement is rarely the first or the whole of its words. It
is the one set largest, often over two or three lines. Layout is all that is used here, with no list
of words of any language, so that the choice is the same every time and easy to check by eye.
"""

import re
from bisect import bisect_right
from collections.abc import Sequence
from math import dist, sqrt
from statistics import fmean
from typing import NamedTuple
from unicodedata import bidirectional

from text2image.formats.texts import count_words, letters_a_word

CONFIDENCE_DIGITS = 6

SAME_SIZE = 0.77  # least ratio of the letter sizes of two lines of a phrase
# In heights of the higher of two lines:
LINE_GAP = 0.6  # largest space between the lines of a phrase
WORD_GAP = 0.8  # largest space between the parts of one line
ALIGNED = 0.6  # largest distance of left edges, centres or right edges
SAME_ROW = 0.4  # largest distance of the middles of two parts of one line

AMOUNT = re.compile(r"[-+~]?(?:[$€£¥₹]\s*\d[\d.,]*|\d[\d.,]*\s*(?:%|[$€£¥₹]|(?:USD|EUR|GBP)\b))")
WORDS_BESIDE_AMOUNT = 2  # "Only €14.90", "up to 50%": still an amount, not a phrase


class Line(NamedTuple):
    """A line of text, or a part of one, as answers hold it.

    Its ``box`` has the four corners ``(x, y)`` in pixels, clockwise from the text's top left.
    """

    text: str
    confidence: float
    box: Sequence[Sequence[float]]

    @property
    def height(self) -> float:
        """Height across the direction of the text, in pixels: the same for a slanted line."""
        top_left, top_right, bottom_right, bottom_left = self.box
        return (dist(top_left, bottom_left) + dist(top_right, bottom_right)) / 2

    @property
    def letter_size(self) -> float:
        """``sqrt(height × width per character)``, in pixels.

        It tells sizes of type apart better than the height alone, which varies with the letters ("own"
        against "Why") and which a detector overstates for small text.
        """
        top_left, top_right, bottom_right, bottom_left = self.box
        width = (dist(top_left, top_right) + dist(bottom_left, bottom_right)) / 2
        return sqrt(self.height * width / max(1, len(self.text)))

    @property
    def quarters(self) -> int:
        """Quarters of a circle, 0 to 3, by which the line is turned clockwise: 1 runs downwards, 2 is upside down."""
        (left, top), (right, bottom) = self.box[:2]
        along, down = right - left, bottom - top
        if abs(along) >= abs(down):
            return 0 if along >= 0 else 2
        return 1 if down > 0 else 3

    @property
    def edges(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom, in pixels, of the line after the image was turned by ``quarters`` back."""
        xs, ys = zip(*self.box, strict=True)
        for _ in range(self.quarters):
            xs, ys = ys, tuple(-x for x in xs)
        return min(xs), min(ys), max(xs), max(ys)


class Phrase(NamedTuple):
    """Lines that belong together, in reading order."""

    lines: tuple[Line, ...]

    @property
    def text(self) -> str:
        """The text of the lines, with a space between two unless both are of a script without spaces."""
        joined = ""
        for line in self.lines:
            part = line.text.strip()
            unspaced = joined and part and letters_a_word(joined[-1]) and letters_a_word(part[0])
            joined += part if unspaced else f" {part}"
        return joined.strip()

    @property
    def confidence(self) -> float:
        """Mean confidence of the lines, in [0, 1]."""
        return fmean(line.confidence for line in self.lines)

    @property
    def prominence(self) -> float:
        """``mean letter size × confidence``, in pixels."""
        return fmean(line.letter_size for line in self.lines) * self.confidence


def phrases(lines: Sequence[Line]) -> list[Phrase]:
    """Join lines to phrases, and return these in reading order: from top to bottom, then from left to right.

    Two lines belong together if their letters are of similar size and they either follow each other
    closely, with left edges, centres or right edges aligned, or stand side by side as parts of one
    line. A headline over three lines is one phrase; the smaller brand above it and the button beside
    it are others. Amounts (:func:`is_amount`) stay by themselves. Lines that stand another way up are other
    phrases, which follow.
    """
    ways: dict[int, list[Line]] = {}
    for line in lines:
        ways.setdefault(line.quarters, []).append(line)
    return [phrase for _, alike in sorted(ways.items()) for phrase in _phrases_of_one_way(alike)]


def _phrases_of_one_way(lines: Sequence[Line]) -> list[Phrase]:
    ordered = sorted(lines, key=lambda line: (line.edges[1], line.edges[0], line.text))
    tops = [line.edges[1] for line in ordered]
    group = list(range(len(ordered)))
    for at, upper in enumerate(ordered):
        reach = upper.edges[3] + 2 * LINE_GAP * upper.height  # a line twice as high has larger letters
        for other in range(at + 1, bisect_right(tops, reach)):
            if group[other] != group[at] and _belong_together(upper, ordered[other]):
                old, new = sorted((group[at], group[other]), reverse=True)
                group = [new if number == old else number for number in group]
    members = [
        [line for line, own in zip(ordered, group, strict=True) if own == number]
        for number in dict.fromkeys(group)
    ]
    return [Phrase(tuple(_in_rows(some))) for some in members]


def reading_order(lines: Sequence[Line]) -> list[Line]:
    """Return the lines phrase by phrase, so that columns side by side are not read across."""
    return [line for phrase in phrases(lines) for line in phrase.lines]


def most_prominent(candidates: Sequence[Phrase], min_characters: int) -> Phrase | None:
    """Return the phrase of the greatest prominence, the first of equals.

    Amounts and phrases with fewer than ``min_characters`` letters and digits are left out; None if
    nothing is left.
    """
    eligible = [
        phrase
        for phrase in candidates
        if sum(char.isalnum() for char in phrase.text) >= min_characters and not is_amount(phrase.text)
    ]
    return max(eligible, key=lambda phrase: phrase.prominence, default=None)


def is_amount(text: str) -> bool:
    """Tell whether a text is a price or a percentage with at most two words beside it, or has no letter."""
    rest, amounts = AMOUNT.subn(" ", text)
    if not amounts:
        return not any(char.isalpha() for char in text)
    return count_words(rest) <= WORDS_BESIDE_AMOUNT


def _belong_together(first: Line, second: Line) -> bool:
    small, large = sorted((first.letter_size, second.letter_size))
    if small < SAME_SIZE * large or is_amount(first.text) or is_amount(second.text):
        return False
    high = max(first.height, second.height)
    left, top, right, bottom = first.edges
    other_left, other_top, other_right, other_bottom = second.edges
    if abs(top + bottom - other_top - other_bottom) / 2 <= SAME_ROW * high:
        return max(left, other_left) - min(right, other_right) <= WORD_GAP * high
    if not -high / 2 <= max(top, other_top) - min(bottom, other_bottom) <= LINE_GAP * high:
        return False
    centres = abs(left + right - other_left - other_right) / 2
    return min(abs(left - other_left), abs(right - other_right), centres) <= ALIGNED * high


def _in_rows(lines: Sequence[Line]) -> list[Line]:
    """Sort the lines of a phrase: rows from top to bottom, the parts of a row in the direction of their script."""

    def middle(line: Line) -> float:
        return (line.edges[1] + line.edges[3]) / 2

    rows: list[list[Line]] = []
    for line in sorted(lines, key=lambda line: (middle(line), line.edges[0])):
        if rows and abs(middle(line) - middle(rows[-1][-1])) <= SAME_ROW * line.height:
            rows[-1].append(line)
        else:
            rows.append([line])
    return [line for row in rows for line in sorted(row, key=_begin)]


def _begin(line: Line) -> float:
    """Return where a part of a row begins, in the direction of its script."""
    left, _, right, _ = line.edges
    strong = (bidirectional(char) for char in line.text)
    return -right if next((way for way in strong if way in ("L", "R", "AL")), "L") != "L" else left
