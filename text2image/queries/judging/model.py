"""A vision model as judge: asked like the label source ``openai``, for a grade instead of texts.

Server, model, image size, limits and prices are those of ``label.openai``; rubric and budget are
``judge.prompt`` and ``judge.budget_usd``. Answers are stored as they come, so none is paid for twice.

Source: Thomas et al., Large Language Models can Accurately Predict Searcher Preferences, 2024.
"""

import json
from collections.abc import Mapping
from contextlib import closing
from typing import Annotated, Any

from pydantic import Field

from text2image.base.console import InputError, progress, say
from text2image.base.settings import OpenaiRuntime
from text2image.base.store import Store, exclusive_lock, fingerprint
from text2image.collection.images import decoding_determinants
from text2image.collection.manifest import ImageFile
from text2image.formats.texts import normalise_text
from text2image.labels.openai.ask import Asker
from text2image.labels.openai.budget import unanswered, with_earlier
from text2image.labels.openai.encode import Upload
from text2image.labels.openai.schema import Form, Question, determinants, request_body
from text2image.labels.openai.settings import Settings
from text2image.labels.protocol.source import Answer
from text2image.queries.judgements import JudgementRow, append_judgements
from text2image.queries.judging.pool import unjudged
from text2image.queries.judging.session import Session

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

    def answer(self) -> Answer:
        """Return ``{"grade", "reason"}``, the reason on one line and cut off."""
        return {"grade": self.grade, "reason": normalise_text(self.reason)[:REASON_CHARACTERS]}


def question(settings: Settings, texts: Mapping[str, str]) -> Question:
    """Return what is asked about each pair of image and query.

    Args:
        settings: ``label.openai`` with the judge's prompt and budget.
        texts: ``{key of the pair: query text}``; uploads carry the key.
    """

    def body(sent: Upload) -> dict[str, Any]:
        query = json.dumps(texts[sent.key], ensure_ascii=False)
        prompt = QUESTION.format(prompt=settings.prompt, query=query)
        asked = request_body(settings.model_copy(update={"prompt": prompt}), sent)
        return asked | {"response_format": FORMAT}

    return Question(body, Grade, "judge", "judge.budget_usd")


def model_judge(settings: Settings) -> str:
    """Return the name under which the model's judgements stand."""
    return f"model:{settings.model}"


def judge_settings(settings: Settings, prompt: str, budget_usd: float | None) -> Settings:
    """Return the settings of ``label.openai`` with the judge's instructions and budget.

    Raises:
        InputError: a budget without prices.
    """
    settings = settings.model_copy(update={"prompt": prompt, "budget_usd": budget_usd})
    if settings.budget_usd is not None and settings.price_input_per_million is None:
        raise InputError(
            "expected both prices per million tokens in label.openai with a judge.budget_usd, found null"
        )
    return settings


def judge_determinants(settings: Settings) -> dict[str, Any]:
    """Return all that determines a grade besides the query and the image."""
    return determinants(settings) | {"schema": SCHEMA, "question": QUESTION} | decoding_determinants()


def judge_by_model(
    session: Session, files: Mapping[str, ImageFile], settings: Settings, runtime: OpenaiRuntime
) -> None:
    """Have the model grade what it has not judged yet, and keep its grades, in the order of the pool.

    Whatever ends the run early, grades that have come are kept.

    Raises:
        InputError: the server refuses, or does not answer, or a file changed since the catalog was made.
    """
    judged = session.judged()
    pairs = {
        _key(query.text, files[image]): (query.text, image)
        for query in session.pooled
        for image in query.images
    }
    todo = {
        _key(query.text, files[image]): files[image]
        for query in session.pooled
        for image in unjudged(query, judged)
    }
    with Store("judgements", judge_determinants(settings)) as store, exclusive_lock(store.path):
        kept = _stored(store, pairs)  # of all pairs: what their answers cost counts towards the budget
        asked = unanswered(settings, todo, kept)
        texts = {key: text for key, (text, _) in pairs.items()}
        bar = progress(total=len(asked), unit="image", title=f"judge {session.source}")
        try:
            asker = Asker(settings, runtime, kept, question(settings, texts))
            with bar, closing(asker.ask(asked)) as coming:
                for key, answer in coming:
                    if not answer.get("transient"):
                        store.put([(key, json.dumps(with_earlier(answer, kept.get(key))).encode())])
                    bar.update()
        finally:
            _write(session, {key: pairs[key] for key in todo}, _stored(store, pairs))


def _key(query: str, image: ImageFile) -> str:
    return f"{image.paid_key} {fingerprint(query)}"


def _stored(store: Store, keys: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    return {key: json.loads(value) for key, value in store.get(keys)}


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
