"""What the page shows behind a result's "why", as HTML; every text that comes from outside is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from itertools import chain

from text2image.formats.texts import query_id
from text2image.pages.search.known import Asked, Label
from text2image.pages.search.thumbnails import LARGE, SMALL
from text2image.pages.search.why import Result, Spots
from text2image.queries.judgements import JudgementRow
from text2image.queries.judging.session import GRADES


def why(result: Result, asked: Sequence[Asked]) -> str:
    """Return all that is known of a result."""
    file = result.file
    about = f"{escape(file.path)} · {file.width} × {file.height} · {escape(file.format)}"
    image = escape(result.spot.image_id)
    alike = (
        f'<p class="label">Near-duplicates ({result.alike.total})</p>{spots_list(result.alike)}'
        if result.alike.total
        else '<p class="label">Near-duplicates</p><p class="none">none in the gallery</p>'
    )
    return f"""<div class="why">
<figure><img src="/image/{image}?side={LARGE}" alt="" loading="lazy"><figcaption>{about}</figcaption></figure>
<div>
<p class="label">Relevance for this query</p>{_relevance(result, asked)}
<p class="label">What the sources say of it</p>{_labels(result.labels)}
{alike}
</div></div>"""


def _relevance(result: Result, asked: Sequence[Asked]) -> str:
    """Return by whom an image is held relevant, and what was judged."""
    held = [
        f"<li>{escape(query.source)}: {_grade(result.held.get(query.source))}{_because(result, query)}</li>"
        for query in asked
    ]
    judged = [
        f"<li>judged {row.relevance}, {escape(GRADES[row.relevance])}, by {escape(row.by)} "
        f'<span class="quiet">({escape(row.source)})</span>{_note(row)}</li>'
        for row in result.judged
    ]
    lines = "".join([*held, *judged])
    return f'<ul class="facts">{lines}</ul>' if lines else '<p class="none">not known, and not judged</p>'


def _grade(grade: int | None) -> str:
    return "not held relevant" if grade is None else f"held relevant, grade {grade}"


def _because(result: Result, query: Asked) -> str:
    image = result.spot.image_id
    if image in query.labelled:
        return ", since it carries the text"
    if image not in query.held:
        return ""
    by_hand = any(query_id(row.query) == query_id(query.text) for row in result.judged)
    return (
        ", since it was judged so" if by_hand else ", as a near-duplicate of an image that carries the text"
    )


def _note(row: JudgementRow) -> str:
    return f": {escape(row.note)}" if row.note else ""


def _labels(labels: Iterable[tuple[Label, bool]]) -> str:
    """Return the texts of an image; the one that is the query is ticked."""
    items = "".join(
        f'<li{" class=says" if says else ""}><span class="source">{escape(label.source)}</span>'
        f"{f'<b>{escape(label.text)} ✓</b>' if says else escape(label.text)}"
        f'<span class="confidence">{_confidence(label.confidence)}</span></li>'
        for label, says in labels
    )
    return f'<ul class="facts">{items}</ul>' if items else '<p class="none">nothing</p>'


def _confidence(confidence: str) -> str:
    try:
        return f"{float(confidence):.2f}"
    except ValueError:
        return ""


def spots_list(spots: Spots) -> str:
    """Return small pictures with rank and score."""
    items = (
        f'<li><img src="/image/{escape(spot.image_id)}?side={SMALL}" alt="" loading="lazy">'
        f"<span><b>#{spot.rank}</b> {spot.score:.3f}</span></li>"
        for spot in spots.shown
    )
    left = spots.total - len(spots.shown)
    rest = (f'<li class="rest">and {left:,} more</li>',) if left else ()
    return f'<ol class="spots">{"".join(chain(items, rest))}</ol>'
