"""What the search page shows, as HTML; every text that comes from outside is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from text2image.pages.search.desk import Answer
from text2image.pages.search.facts import spots_list, why
from text2image.pages.search.known import SEARCH, Asked
from text2image.pages.search.thumbnails import SMALL
from text2image.pages.search.why import Ranking, Result
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
    """Return what stands where an answer would."""
    return f'<p class="problem" role="alert">{escape(message)}</p>'


def render(answer: Answer, by: str) -> str:
    """Return an answer: what is known of the query, and one ranking beside the other."""
    shown = max(len(ranking.results) for ranking in answer.rankings)
    more = '<button class="more" data-more>Show more</button>' if shown < min(MOST, answer.size) else ""
    columns = "".join(_ranking(ranking, answer, by) for ranking in answer.rankings)
    return (
        f'<div class="answer" data-query="{escape(answer.text)}">'
        f'{_about(answer)}<div class="rankings n{len(answer.rankings)}">{columns}</div>'
        f'<footer>{more}<p class="hint">{_how_judged(answer, by)}</p></footer></div>'
    )


def _about(answer: Answer) -> str:
    """Return what is known of the query: who asks it, and whether it counts."""
    if answer.preview:
        return (
            f'<section class="about"><img class="query-picture" src="{answer.preview}" alt="the picture searched for">'
            "<p>Images like this picture.</p></section>"
        )
    if not answer.asked:
        return (
            '<section class="about"><p>No label source asks this text, so it is not known which images it should find.'
            "</p></section>"
        )
    return f'<section class="about">{"".join(map(_asked, answer.asked))}</section>'


def _asked(query: Asked) -> str:
    carried = _count(len(query.labelled), "image")
    held = _count(len(query.held), "image")
    fate = f"left out: {escape(query.left_out)}" if query.left_out else f"{held} held relevant"
    return f"<p>A query of <b>{escape(query.source)}</b>: {carried} labelled so, {fate}.</p>"


def _how_judged(answer: Answer, by: str) -> str:
    """Return where grades go and what they will count for."""
    scale = " · ".join(f"<b>{grade}</b> {meaning}" for grade, meaning in GRADES.items())
    if answer.preview:
        return "Grades are kept for texts; a picture has no query to keep them under."
    sources = ", ".join(query.source for query in answer.asked)
    counts = (
        f"it counts for {escape(sources)} from the next <code>dvc repro</code>"
        if sources
        else f"no source asks this text, so it stands under “{SEARCH}” and counts for no score"
    )
    return f"{scale}<br>One click keeps a grade by {escape(by)} in data/judgements.csv; {counts}."


def _ranking(ranking: Ranking, answer: Answer, by: str) -> str:
    """Return the column of one model."""
    expected = ""
    if ranking.expected.total:
        expected = (
            '<div class="expected"><p class="label">Expected by the labels</p>'
            f"{spots_list(ranking.expected)}</div>"
        )
    cards = "".join(_card(result, answer, by) for result in ranking.results)
    return (
        f'<section class="ranking" data-model="{escape(ranking.model)}">'
        f'<h2>{escape(ranking.model)}</h2>{expected}<ol class="cards">{cards}</ol></section>'
    )


def _card(result: Result, answer: Answer, by: str) -> str:
    """Return one result: picture, rank, score, grades, and behind a fold why."""
    spot, image = result.spot, escape(result.spot.image_id)
    relevant = bool(result.held)
    tick = '<span class="tick" title="held relevant">✓ relevant</span>' if relevant else ""
    others = "".join(
        f'<span class="other">#{rank} in {escape(model)}</span>' for model, rank in result.elsewhere.items()
    )
    return f"""<li class="card{" relevant" if relevant else ""}" data-image="{image}">
<div class="picture"><img src="/image/{image}?side={SMALL}" alt="result {spot.rank}" loading="lazy"></div>
<p class="place"><b>{spot.rank}</b><span class="score">{spot.score:.3f}</span>{tick}{others}</p>
{_grades(result.judged, by) if answer.text else ""}
<details><summary>why</summary>{why(result, answer.asked)}</details>
</li>"""


def _grades(judged: Sequence[JudgementRow], by: str) -> str:
    """Return a button a grade; the one that ``by`` gave last is pressed."""
    given = next((row.relevance for row in reversed(judged) if row.by == by), None)
    buttons = "".join(
        f'<button class="grade" data-grade="{grade}" title="{grade}: {meaning}" '
        f'aria-label="grade {grade}: {meaning}" aria-pressed="{str(grade == given).lower()}">{grade}</button>'
        for grade, meaning in GRADES.items()
    )
    return f'<div class="grades">{buttons}<output aria-live="polite"></output></div>'


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
