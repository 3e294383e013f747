"""A vision model as judge: asked like the label source ``openai``, for a grade instead of texts.

Server, model, image size, limits and prices are those of ``label.openai``; rubric and budget are
``judge.prompt`` and ``judge.budget_usd``, or those of a system that reranks (kind ``rerank``), which asks the same way.
Answers are stored as they come under all that determines them, so that no pair of query and image is paid for twice,
whoever asks first.

Source: Thomas et al., Large Language Models can Accurately Predict Searcher Preferences, 2024.
"""

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import closing
from typing import Annotated, Any, NamedTuple

from pydantic import Field

from text2image.base.console import InputError, progress, say
from text2image.base.locks import exclusive_lock
from text2image.base.settings import OpenaiRuntime
from text2image.base.store import Store, fingerprint
from text2image.collection.images import decoding_determinants
from text2image.collection.manifest import ImageFile
from text2image.formats.texts import normalise_text
from text2image.labels.openai.ask import Asker
from text2image.labels.openai.budget import estimate, unanswered, with_earlier
from text2image.labels.openai.encode import Upload
from text2image.labels.openai.ledger import Ledger, reread
from text2image.labels.openai.reading import Form
from text2image.labels.openai.schema import Question, determinants, is_unread, request_body
from text2image.labels.openai.settings import Settings
from text2image.labels.protocol.answers import load_answer, whole_answer
from text2image.labels.protocol.source import Answer
from text2image.queries.judgements import JudgementRow, append_judgements
from text2image.queries.judging.pool import unjudged
from text2image.queries.judging.session import Session

KIND = "judgements"  # of the store's space
QUESTION = "{prompt}\nSearch query: {query}"
REASON_CHARACTERS = 300
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "reason": {"type": "string", "description": "Why, in at most fifteen words."},
        "grade": {"type": "integer", "enum": [0, 1, 2, 3]},
    },
    "required": ["reason", "grade"],
    "additionalProperties": False,
}
FORMAT = {"type": "json_schema", "json_schema": {"name": "judgement", "schema": SCHEMA, "strict": True}}


class Grade(Form):
    """An answer in the form that was asked for."""

    reason: str
    grade: Annotated[int, Field(ge=0, le=3)]

    def answer(self, is_copy: Callable[[str], bool]) -> Answer | None:
        """Return ``{"grade", "reason"}``, the reason on one line and cut off; None for a copy of the form."""
        if is_copy(self.reason) or self.reason.strip() == SCHEMA["properties"]["reason"]["description"]:
            return None
        return {"grade": self.grade, "reason": normalise_text(self.reason)[:REASON_CHARACTERS]}


class Asking(NamedTuple):
    """Who has pairs graded, for messages.

    Attributes:
        title: the command or the system.
        budget_key: the params key of its budget.
        repeat: says what asks again for pairs that got no answer.
    """

    title: str
    budget_key: str = "judge.budget_usd"
    repeat: str = "the next run asks again"


class AskedPair(NamedTuple):
    """A query and an image that is to be graded for it."""

    query: str
    image: ImageFile

    @property
    def key(self) -> str:
        """What the answer is stored under."""
        return f"{self.image.paid_key} {fingerprint(self.query)}"


def question(settings: Settings, texts: Mapping[str, str], asking: Asking) -> Question:
    """Return what is asked about each pair of image and query.

    Args:
        settings: ``label.openai`` with the judge's prompt and budget.
        texts: ``{key of the pair: query text}``; uploads carry the key.
        asking: who asks.
    """

    def body(sent: Upload) -> dict[str, Any]:
        query = json.dumps(texts[sent.key], ensure_ascii=False)
        prompt = QUESTION.format(prompt=settings.prompt, query=query)
        asked = request_body(settings.model_copy(update={"prompt": prompt}), sent)
        return asked | {"response_format": FORMAT}

    return Question(body, Grade, asking.title, asking.budget_key, settings.prompt, asking.repeat)


def model_judge(settings: Settings) -> str:
    """Return the name under which the model's judgements stand."""
    return f"model:{settings.model}"


def judge_settings(
    settings: Settings, prompt: str, budget_usd: float | None, budget_key: str = "judge.budget_usd"
) -> Settings:
    """Return the settings of ``label.openai`` with the judge's instructions and budget.

    Raises:
        InputError: a budget without prices.
    """
    settings = settings.model_copy(update={"prompt": prompt, "budget_usd": budget_usd})
    if settings.budget_usd is not None and settings.price_input_per_million is None:
        raise InputError(
            f"expected both prices per million tokens in label.openai with a {budget_key}, found null"
        )
    return settings


def judge_determinants(settings: Settings) -> dict[str, Any]:
    """Return all that determines a grade besides the query and the image."""
    return determinants(settings) | {"schema": SCHEMA, "question": QUESTION} | decoding_determinants()


def grade_pairs(
    pairs: Iterable[AskedPair],
    settings: Settings,
    runtime: OpenaiRuntime,
    asking: Asking,
    finish: Callable[[dict[str, Answer]], None],
    todo: Collection[str] | None = None,
) -> None:
    """Have the model grade the pairs that have no answer in the store yet; answers are stored as they come.

    Ends early, with a line of why, where the budget would be exceeded. What all stored answers for ``pairs`` have cost
    counts towards it.

    Args:
        settings: :func:`judge_settings`.
        finish: is given the stored answers ``{key: answer}`` for the pairs in the end, whatever ended the run.
        todo: the keys of those pairs that may be asked about; None for all.

    Raises:
        InputError: the server refuses, or does not answer, a file changed since the catalog was made, or another
            process asks for the same answers.
    """
    by_key = {pair.key: pair for pair in pairs}
    wanted = {key: pair.image for key, pair in by_key.items() if todo is None or key in todo}
    with Store(KIND, judge_determinants(settings), paid=True) as store:
        asked = question(settings, {key: pair.query for key, pair in by_key.items()}, asking)
        try:
            stored = _stored(store, by_key)
            if unanswered(settings, wanted, stored) or any(map(is_unread, stored.values())):
                store.check_writable()
                with exclusive_lock(store.path):
                    store.check()
                    _reread(store, by_key, asked)
                    stored = _stored(store, by_key)  # to which others may have added meanwhile
                    if images := unanswered(settings, wanted, stored):
                        _ask(store, images, stored, Asker(settings, runtime, stored, asked, Ledger(store)))
        finally:
            finish(_stored(store, by_key))


def _reread(store: Store, keys: Mapping[str, Any], asked: Question) -> None:
    """Read again what earlier readers could not read, and store it."""
    for key, answer in reread(store, Ledger(store), _stored(store, keys), keys.keys(), asked):
        store.put([(key, json.dumps(answer).encode())])


def _ask(store: Store, images: Mapping[str, ImageFile], stored: Mapping[str, Answer], asker: Asker) -> None:
    """Ask about images by the keys of their pairs, and store the answers as they come."""
    bar = progress(total=len(images), unit="pair", title=asker.question.title)
    with bar, closing(asker.ask(images)) as coming:
        for key, answer in coming:
            if not answer.get("transient"):
                earlier = whole_answer(store, key, stored[key]) if key in stored else None
                store.put([(key, json.dumps(with_earlier(answer, earlier)).encode())])
            bar.update()


def estimate_pairs(pairs: Iterable[AskedPair], settings: Settings) -> str:
    """Say how many pairs have no grade yet, and about what they will cost; nothing is asked."""
    by_key = {pair.key: pair for pair in pairs}
    with Store(KIND, judge_determinants(settings), paid=True) as store:
        stored = _stored(store, by_key)
        lost = Ledger(store).cost(settings, by_key.keys())
    todo = unanswered(settings, {key: pair.image for key, pair in by_key.items()}, stored)
    one_by_one = settings.model_copy(update={"mode": "sync"})
    return f"{len(todo):,} of {len(by_key):,} pairs of query and image not graded yet\n" + estimate(
        one_by_one, len(todo), stored.values(), first="a smaller depth", lost=lost
    )


def judge_by_model(
    session: Session, files: Mapping[str, ImageFile], settings: Settings, runtime: OpenaiRuntime
) -> None:
    """Have the model grade what it has not judged yet, and keep its grades, in the order of the pool.

    Whatever ends the run early, grades that have come are kept.

    Raises:
        InputError: see :func:`grade_pairs`.
    """
    judged = session.judged()
    pairs = {
        AskedPair(query.text, files[image]).key: (query.text, image)
        for query in session.pooled
        for image in query.images
    }
    todo = [
        AskedPair(query.text, files[image]).key
        for query in session.pooled
        for image in unjudged(query, judged)
    ]

    def keep(answers: dict[str, Answer]) -> None:
        _write(session, {key: pairs[key] for key in todo}, answers)

    asked = [AskedPair(text, files[image]) for text, image in pairs.values()]
    grade_pairs(asked, settings, runtime, Asking(f"judge {session.source}"), keep, set(todo))


def _stored(store: Store, keys: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    return dict(store.get_json(keys, load_answer))


def _write(session: Session, pairs: Mapping[str, tuple[str, str]], answers: Mapping[str, Answer]) -> None:
    """Append the grades that have come, and say what has none; ``pairs``: ``{key: (query, image_id)}``."""
    came = {key: answers[key] for key in pairs if key in answers}
    rows = [
        JudgementRow(session.source, *pairs[key], answer["grade"], session.by, answer["reason"])
        for key, answer in came.items()
        if "grade" in answer
    ]
    if rows:
        append_judgements(rows, session.path)
    failures = sorted({answer["failure"] for answer in came.values() if "failure" in answer})
    say(
        f"judge {session.source}: {len(rows)} grades by {session.by}, {len(pairs) - len(rows)} images without one"
        + (f" ({', '.join(failures)})" if failures else "")
    )
