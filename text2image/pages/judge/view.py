"""What the judging page shows; every text that comes from outside is escaped."""

from html import escape
from pathlib import Path
from string import Template

from text2image.queries.judging.session import GRADES, Session, Turn

FRAME = Template(Path(__file__).with_name("page.html").read_text(encoding="utf-8"))
NOTE_CHARACTERS = 500


def render(session: Session, token: str) -> str:
    """Return the page for what is to be judged next; ``token`` proves that answers come from it."""
    turn, progress = session.turn(), session.progress()
    return FRAME.substitute(
        source=escape(session.source),
        by=escape(session.by),
        progress=str(progress),
        done=progress.images_done,
        all=max(1, progress.images),
        preload=" ".join(f"/image/{escape(image)}" for image in _next_images(session, turn)),
        body=_turn(session, turn, token) if turn else _end(session, token),
    )


def _next_images(session: Session, turn: Turn | None) -> tuple[str, ...]:
    """Return the images of the query that follows, which the browser may load meanwhile."""
    following = session.pooled[session.pooled.index(turn.query) + 1 :] if turn else ()
    return following[0].images if following else ()


def _turn(session: Session, turn: Turn, token: str) -> str:
    """Return the query, the image, the buttons and the query's other images."""
    image = escape(turn.image_id)
    grades = "\n".join(
        f'<button class="grade" name="grade" value="{grade}" data-key="{grade}">'
        f'<kbd class="grade-{grade}">{grade}</kbd>{meaning}</button>'
        for grade, meaning in GRADES.items()
    )
    return f"""<main>
<div class="query"><p class="label">Query</p><h1>{escape(turn.query.text)}</h1></div>
<figure class="picture"><img src="/image/{image}" alt="the image to judge"></figure>
<form method="post" action="/answer" autocomplete="off">
<button disabled hidden></button>
{_hidden("token", token)}{_hidden("query", turn.query.query_id)}{_hidden("image", turn.image_id)}
<p class="label">How well does it answer?</p>
{grades}
<input name="note" maxlength="{NOTE_CHARACTERS}" placeholder="Note (n), kept with the grade" aria-label="note">
<div class="quiet">{_button("undo", "u", "undo")}{_button("skip", "s", "skip query")}</div>
<p class="hint">Every grade is saved at once, to {escape(session.path.as_posix())}.</p>
</form>
{_strip(turn)}
</main>"""


def _strip(turn: Turn) -> str:
    """Return the small pictures of all the query's images, with the grades given so far."""
    items = []
    for image in turn.query.images:
        grade = turn.grades.get(image)
        mark = "" if grade is None else f'<kbd class="grade-{grade}">{grade}</kbd>'
        kind = "now" if image == turn.image_id else "judged" if mark else "open"
        items.append(f'<li class="{kind}"><img src="/image/{escape(image)}" alt="">{mark}</li>')
    place = turn.query.images.index(turn.image_id) + 1
    return (
        f'<section class="strip"><p class="label">Image {place} of {len(items)} for this query</p>'
        f"<ol>{''.join(items)}</ol></section>"
    )


def _end(session: Session, token: str) -> str:
    """Return what stands where nothing is left to judge."""
    skipped = len(session.skipped)
    again = _button("again", "a", f"judge the skipped ({skipped:,})") if skipped else ""
    return f"""<main class="done">
<h1>{"All the rest is judged" if skipped else "All is judged"}</h1>
<p>End the command in the terminal with Ctrl-C, then run <code>dvc repro</code>: the judgements count from then on.</p>
<form method="post" action="/answer">{_hidden("token", token)}
<div class="quiet">{_button("undo", "u", "undo")}{again}</div>
</form>
</main>"""


def _hidden(name: str, value: str) -> str:
    return f'<input type="hidden" name="{name}" value="{escape(value)}">'


def _button(action: str, key: str, text: str) -> str:
    return f'<button name="action" value="{action}" data-key="{key}"><kbd>{key}</kbd>{text}</button>'
