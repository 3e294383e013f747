"""A vision model as judge: asked like the label source ``openai``, for a grade instead of texts.

Server, model, image size, limits and prices are those of ``label.openai``; rubric and budget are
``judge.prompt`` and ``judge.budget_usd``. Answers are stored as they come, so none is paid for twice.

Source: Thomas et al., Large Language Models can Accurately Predict Searcher Preferences, 2024.
"""

import json
from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import Any

from text2image.base.console import InputError, progress, say
from text2image.base.lock import exclusive_lock
from text2image.base.settings import OpenaiRuntime
from text2image.base.store import Store, fingerprint
from text2image.collection.images import decoding_determinants
from text2image.collection.locations import Location
from text2image.collection.manifest import ImageFile
from text2image.labels.openai.ask import ask_now
from text2image.labels.openai.retries import unanswered, with_earlier
from text2image.labels.openai.schema import determinants
from text2image.labels.openai.settings import Settings
from text2image.labels.protocol.source import Answer
from text2image.queries.judgements import JudgementRow, append_judgements
from text2image.queries.judging.grader import QUESTION, SCHEMA, question
from text2image.queries.judging.pool import PooledQuery, unjudged
from text2image.queries.judging.session import Session


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
    session: Session, files: Mapping[str, Location], settings: Settings, runtime: OpenaiRuntime
) -> None:
    """Have the model grade what it has not judged yet, and keep its grades, in the order of the pool.

    Whatever ends the run early, grades that have come are kept.

    Raises:
        InputError: the server refuses, or does not answer.
    """
    pairs = {_key(query, image): (query, image) for query in session.pooled for image in query.images}
    judged = session.judged()
    todo = [
        ImageFile(_key(query, image), files[image])
        for query in session.pooled
        for image in unjudged(query, judged)
    ]
    with Store("judgements", judge_determinants(settings)) as store, exclusive_lock(store.path):
        kept = _stored(store, pairs)
        asked = unanswered(settings, todo, kept)
        texts = {item.image_id: pairs[item.image_id][0].text for item in asked}
        bar = progress(total=len(asked), unit="image", title=f"judge {session.source}")
        try:
            with bar, closing(ask_now(asked, kept, settings, runtime, question(settings, texts))) as coming:
                for key, answer in coming:
                    if not answer.get("transient"):
                        store.put([(key, json.dumps(with_earlier(answer, kept.get(key))).encode())])
                    bar.update()
        finally:
            _write(session, [(*pairs[item.image_id], item.image_id) for item in todo], _stored(store, pairs))


def _key(query: PooledQuery, image_id: str) -> str:
    return f"{image_id} {fingerprint(query.text)}"


def _stored(store: Store, keys: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    return {key: json.loads(value) for key, value in store.get(keys)}


def _write(
    session: Session, asked: Sequence[tuple[PooledQuery, str, str]], answers: Mapping[str, Answer]
) -> None:
    """Append the grades that have come, and say what has none."""
    rows = [
        JudgementRow(
            session.source, query.text, image, answers[key]["grade"], session.by, answers[key]["reason"]
        )
        for query, image, key in asked
        if "grade" in answers.get(key, {})
    ]
    if rows:
        append_judgements(rows, session.path)
    failed = [answers[key]["failure"] for _, _, key in asked if "failure" in answers.get(key, {})]
    say(
        f"judge {session.source}: {len(rows)} grades by {session.by}, {len(asked) - len(rows)} images without one"
        + (f" ({', '.join(sorted(set(failed)))})" if failed else "")
    )
