"""Why an image is where it is, as page, console and JSON say it: pure functions of what its system explains.

Texts come from pictures that anybody may have made: they are shown on one line, control characters escaped, and cut.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

from text2image.base.console import one_line
from text2image.collection.manifest import Box
from text2image.encoders.settings import CORNERS, TILES
from text2image.encoders.views import views_of
from text2image.pages.sheets import examples
from text2image.pages.sheets.examples import places
from text2image.pages.sheets.marks import Mark, spans
from text2image.retrieval.systems.scorer import Match, Why

TEXT = 160  # characters of a text that are shown
BEFORE = 40  # of them before the first word that matched
LISTED = 8  # texts that are shown
IN_SHORT = 60  # characters of the console's column


class Piece(NamedTuple):
    """A part of a text, and whether it matched."""

    text: str
    matched: bool


class Bar(NamedTuple):
    """What a system adds to a score, as a number to be read; ``width`` in per cent of the longest bar."""

    system: str
    share: float
    shown: str
    width: float


def marks(why: Why) -> list[Mark]:
    """Return the words to be marked on the picture, in its pixels, each place once."""
    return [mark._replace(text=one_line(mark.text, TEXT)) for mark in examples.marks(why)]


def view_box(view: str, width: int, height: int) -> Box | None:
    """Return where on a picture the view lies that counts, ``(left, top, right, bottom)`` in pixels; None for all of it.

    >>> view_box("tile 2 of 2", 20, 10)
    (10, 0, 20, 10)
    """
    return next((one.box for one in views_of(width, height, [TILES, CORNERS]) if one.name == view), None)


def pieces(match: Match) -> list[Piece]:
    """Return a text in which a query was found, at most ``TEXT`` characters of it, cut into what matched and the rest."""
    text = match.text.text
    found_at = spans(text, match.words)
    first = max(0, found_at[0][0] - BEFORE) if len(text) > TEXT else 0
    end = min(len(text), first + TEXT)
    found: list[Piece] = [Piece("…", False)] if first else []
    at = first
    for start, stop in found_at:
        start, stop = (min(max(place, at), end) for place in (start, stop))
        found += [Piece(text[at:start], False), Piece(text[start:stop], True)]
        at = stop
    found += [Piece(text[at:end], False), Piece("…" if end < len(text) else "", False)]
    return [Piece(one_line(piece.text, 4 * TEXT), piece.matched) for piece in found if piece.text]


def bars(why: Why, longest: float) -> list[Bar]:
    """Return the shares of a fused score; ``longest``: the largest absolute share that is shown beside it."""
    decimals = places([longest], 2)
    shown = [f"{round(part.share, decimals) + 0.0:+.{decimals}f}" for part in why.parts]  # no -0.00
    widths = [100 * abs(part.share) / (longest or 1.0) for part in why.parts]
    return [Bar(*part, number, width) for part, number, width in zip(why.parts, shown, widths, strict=True)]


def longest_share(reasons: Iterable[Why]) -> float:
    """Return the largest absolute share of some images, 0 if there is none."""
    return max((abs(part.share) for why in reasons for part in why.parts), default=0.0)


def in_short(why: Why, longest: float = 1.0) -> str:
    """Return why an image is where it is on one short line; "" if its system does not say.

    ``longest``: the largest absolute share that is shown beside it.

    >>> from text2image.formats.fields import FieldText
    >>> from text2image.retrieval.systems.scorer import Part
    >>> line = FieldText("a", "Big SUMMER SALE", 0.98)
    >>> in_short(Why((Match("ocr", line, ("SUMMER", "SALE")),), (Part("m", -0.5), Part("w", 2.25)), "tile 2 of 8"))
    'SUMMER SALE | m -0.50 w +2.25 | tile 2 of 8'
    """
    words = (one_line(text[slice(*place)]) for text, place in _places(why))
    shares = " ".join(f"{one_line(bar.system)} {bar.shown}" for bar in bars(why, longest))
    grade = f"grade {one_line(why.grade)}" if why.grade else ""
    told = [", ".join(dict.fromkeys(words)), shares, one_line(why.view), grade, one_line(why.reason)]
    return one_line(" | ".join(filter(None, told)), IN_SHORT)


def _places(why: Why) -> Iterable[tuple[str, tuple[int, int]]]:
    for match in why.matches:
        for place in spans(match.text.text, match.words):
            yield match.text.text, place


def as_json(why: Why) -> dict[str, Any]:
    """Return all that a system explains, under the names that it has in :class:`Why`, for a JSON file.

    >>> as_json(Why(view="whole"))
    {'matches': [], 'parts': {}, 'view': 'whole', 'grade': '', 'reason': ''}
    """
    matches = [
        {"field": match.field, "words": list(match.words)}
        | {key: value for key, value in match.text._asdict().items() if key != "image_id"}
        for match in why.matches
    ]
    parts = {part.system: part.share for part in why.parts}
    return {"matches": matches, "parts": parts, "view": why.view, "grade": why.grade, "reason": why.reason}
