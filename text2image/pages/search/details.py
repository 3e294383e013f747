"""What the page shows behind a result's "why", as HTML; every text that comes from outside is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from itertools import chain

from text2image.formats.texts import query_id
from text2image.pages.search.annotations import ImageLabel, SourceQuery
from text2image.pages.search.explanation import ExplainedImage, RankedGroup
from text2image.pages.search.thumbnails import LARGE, SMALL
from text2image.queries.judgements import JudgementRow
from text2image.queries.judging.session import GRADES


def details(result: ExplainedImage, queries: Sequence[SourceQuery]) -> str:
    """Return all that is known of a result."""
    file, near = result.file, result.near_duplicates
    about = f"{escape(file.path)} · {file.width} × {file.height} · {escape(file.format)}"
    image = escape(result.ranked.image_id)
    near_duplicates = (
        f'<p class="label">Near-duplicates ({near.total})</p>{group(near)}'
        if near.total
        else '<p class="label">Near-duplicates</p><p class="none">none in the gallery</p>'
    )
    return f"""<div class="why">
<figure><img src="/image/{image}?side={LARGE}" alt="" loading="lazy"><figcaption>{about}</figcaption></figure>
<div>
<p class="label">Relevance for this query</p>{_relevance(result, queries)}
<p class="label">What the sources say of it</p>{_labels(result.labels)}
{near_duplicates}
</div></div>"""


def _relevance(result: ExplainedImage, queries: Sequence[SourceQuery]) -> str:
    """Return which sources count an image as relevant, and what was judged."""
    by_source = [
        f"<li>{escape(query.source)}: {_grade(result.grades.get(query.source))}{_because(result, query)}</li>"
        for query in queries
    ]
    judged = [
        f"<li>judged {row.relevance}, {escape(GRADES[row.relevance])}, by {escape(row.by)} "
        f'<span class="quiet">({escape(row.source)})</span>{_note(row)}</li>'
        for row in result.judgements
    ]
    lines = "".join([*by_source, *judged])
    return f'<ul class="facts">{lines}</ul>' if lines else '<p class="none">not known, and not judged</p>'


def _grade(grade: int | None) -> str:
    return "not counted as relevant" if grade is None else f"counted as relevant, grade {grade}"


def _because(result: ExplainedImage, query: SourceQuery) -> str:
    image = result.ranked.image_id
    if image in query.labelled:
        return ", since it carries the text"
    if image not in query.grades:
        return ""
    by_hand = any(query_id(row.query) == query_id(query.text) for row in result.judgements)
    return (
        ", since it was judged so" if by_hand else ", as a near-duplicate of an image that carries the text"
    )


def _note(row: JudgementRow) -> str:
    return f": {escape(row.note)}" if row.note else ""


def _labels(labels: Iterable[tuple[ImageLabel, bool]]) -> str:
    """Return the texts of an image; the one that is the query is ticked."""
    items = "".join(
        f'<li{" class=is-query" if is_query else ""}><span class="source">{escape(label.source)}</span>'
        f"{f'<b>{escape(label.text)} ✓</b>' if is_query else escape(label.text)}"
        f'<span class="confidence">{_confidence(label.confidence)}</span></li>'
        for label, is_query in labels
    )
    return f'<ul class="facts">{items}</ul>' if items else '<p class="none">nothing</p>'


def _confidence(confidence: str) -> str:
    try:
        return f"{float(confidence):.2f}"
    except ValueError:
        return ""


def group(images: RankedGroup) -> str:
    """Return small pictures with rank and score."""
    items = (
        f'<li><img src="/image/{escape(ranked.image_id)}?side={SMALL}" alt="" loading="lazy">'
        f"<span><b>#{ranked.rank}</b> {ranked.score:.3f}</span></li>"
        for ranked in images.shown
    )
    left = images.total - len(images.shown)
    rest = (f'<li class="rest">and {left:,} more</li>',) if left else ()
    return f'<ol class="group">{"".join(chain(items, rest))}</ol>'
