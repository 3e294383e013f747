"""What the search page shows, as HTML; every text that comes from outside is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from text2image.pages.search.annotations import SEARCH, SourceQuery
from text2image.pages.search.details import details, group
from text2image.pages.search.explanation import ExplainedImage, ModelResults
from text2image.pages.search.service import SearchResponse
from text2image.pages.search.thumbnails import SMALL
from text2image.queries.judgements import JudgementRow
from text2image.queries.judging.session import GRADES

MOST = 120  # results of a model that "Show more" leads to


def header(images: int, models: Sequence[str], sources: Sequence[str]) -> str:
    """Return the head of the page."""
    return (
        f"<header><h1>Search</h1><p>{images:,} images · {_count(len(models), 'model')} · "
        f"labels by {escape(', '.join(sources))}</p></header>"
    )


def examples(texts: Iterable[str]) -> str:
    """Return the row of queries to try."""
    chips = "".join(
        f'<button class="chip" data-ask="{escape(text)}">{escape(text)}</button>' for text in texts
    )
    return f'<nav class="examples" aria-label="example queries"><span class="label">Try</span>{chips}</nav>'


def problem(message: str) -> str:
    """Return what stands where results would."""
    return f'<p class="problem" role="alert">{escape(message)}</p>'


def render(response: SearchResponse, by: str) -> str:
    """Return what was found: what is known of the query, and the results of one model beside the other's."""
    shown = max(len(model.results) for model in response.models)
    more = '<button class="more" data-more>Show more</button>' if shown < min(MOST, response.n_images) else ""
    columns = "".join(_model(model, response, by) for model in response.models)
    return (
        f'<div class="answer" data-query="{escape(response.text)}">'
        f'{_about(response)}<div class="rankings n{len(response.models)}">{columns}</div>'
        f'<footer>{more}<p class="hint">{_how_judged(response, by)}</p></footer></div>'
    )


def _about(response: SearchResponse) -> str:
    """Return what is known of the query: which sources ask it, and whether it counts."""
    if response.preview:
        return (
            f'<section class="about"><img class="query-picture" src="{response.preview}" alt="the picture searched for">'
            "<p>Images like this picture.</p></section>"
        )
    if not response.queries:
        return (
            '<section class="about"><p>No label source asks this text, so it is not known which images it should find.'
            "</p></section>"
        )
    return f'<section class="about">{"".join(map(_source_query, response.queries))}</section>'


def _source_query(query: SourceQuery) -> str:
    labelled, relevant = (_count(len(images), "image") for images in (query.labelled, query.grades))
    fate = f"left out: {escape(query.left_out)}" if query.left_out else f"{relevant} counted as relevant"
    return f"<p>A query of <b>{escape(query.source)}</b>: {labelled} labelled so, {fate}.</p>"


def _how_judged(response: SearchResponse, by: str) -> str:
    """Return where grades go and what they will count for."""
    scale = " · ".join(f"<b>{grade}</b> {meaning}" for grade, meaning in GRADES.items())
    if response.preview:
        return "Grades are kept for texts; a picture has no query to keep them under."
    sources = ", ".join(query.source for query in response.queries)
    counts = (
        f"it counts for {escape(sources)} from the next <code>dvc repro</code>"
        if sources
        else f"no source asks this text, so it stands under “{SEARCH}” and counts for no score"
    )
    return f"{scale}<br>One click keeps a grade by {escape(by)} in data/judgements.csv; {counts}."


def _model(model: ModelResults, response: SearchResponse, by: str) -> str:
    """Return the column of one model."""
    expected = ""
    if model.expected.total:
        expected = (
            f'<div class="expected"><p class="label">Expected by the labels</p>{group(model.expected)}</div>'
        )
    cards = "".join(_card(result, response, by) for result in model.results)
    return (
        f'<section class="ranking" data-model="{escape(model.model)}">'
        f'<h2>{escape(model.model)}</h2>{expected}<ol class="cards">{cards}</ol></section>'
    )


def _card(result: ExplainedImage, response: SearchResponse, by: str) -> str:
    """Return one result: picture, rank, score, grades, and behind a fold why."""
    ranked, image = result.ranked, escape(result.ranked.image_id)
    relevant = bool(result.grades)
    tick = '<span class="tick" title="counted as relevant">✓ relevant</span>' if relevant else ""
    others = "".join(
        f'<span class="other">#{rank} in {escape(model)}</span>' for model, rank in result.other_ranks.items()
    )
    return f"""<li class="card{" relevant" if relevant else ""}" data-image="{image}">
<div class="picture"><img src="/image/{image}?side={SMALL}" alt="result {ranked.rank}" loading="lazy"></div>
<p class="place"><b>{ranked.rank}</b><span class="score">{ranked.score:.3f}</span>{tick}{others}</p>
{_grades(result.judgements, by) if response.text else ""}
<details><summary>why</summary>{details(result, response.queries)}</details>
</li>"""


def _grades(judgements: Sequence[JudgementRow], by: str) -> str:
    """Return a button a grade; the one that ``by`` gave last is pressed."""
    given = next((row.relevance for row in reversed(judgements) if row.by == by), None)
    buttons = "".join(
        f'<button class="grade" data-grade="{grade}" title="{grade}: {meaning}" '
        f'aria-label="grade {grade}: {meaning}" aria-pressed="{str(grade == given).lower()}">{grade}</button>'
        for grade, meaning in GRADES.items()
    )
    return f'<div class="grades">{buttons}<output aria-live="polite"></output></div>'


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
