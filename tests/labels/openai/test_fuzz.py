"""Random answers of servers: whatever they hold, they become an answer or the name of a failure, and no traceback."""

import json
import random
from collections.abc import Callable
from typing import Any

import httpx2
import openai
import pytest

from tests.support.long_form import SEED, announced, cases
from text2image.labels.openai.reading import Form
from text2image.labels.openai.reasons import ReportedError, describe, is_error, is_lasting, reason
from text2image.labels.openai.schema import Question, Texts, is_completion, kept_answer, usage_of
from text2image.queries.judging.model import Grade

CASES = cases(300)
REQUEST = httpx2.Request("POST", "http://localhost/v1/chat/completions")
KEYS = (
    "choices", "message", "content", "text", "type", "usage", "prompt_tokens", "completion_tokens", "refusal", "error",
    "detail", "loc", "param", "code", "finish_reason", "reasoning_content", "caption", "queries", "grade", "reason", "value",
)  # fmt: skip
TEXTS = (
    "", " ", "<think>", "</think>", "{", "}", '{"caption": "a", "queries": ["b"]}', '{"reason": "r", "grade": 1}', "query 1",
    "\ud800", "\x00\x1b[31m", "length", "content_filter", "text", "stop", '"', "\\", "[" * 2000, '{"a":' * 100, "é" * 50,
)  # fmt: skip


def value(rng: random.Random, depth: int) -> Any:
    """Return random JSON of the words that matter here."""
    kind = rng.randrange(8 if depth else 5)
    if kind < 2:
        return "".join(rng.choices(TEXTS, k=rng.randrange(6)))
    if kind == 2:
        return rng.choice([0, 1, -1, 10**30, 1.5, float("nan"), float("inf"), 500, 429, 401])
    if kind < 5:
        return rng.choice([None, True, False])
    if kind == 5:
        return [value(rng, depth - 1) for _ in range(rng.randrange(4))]
    return {rng.choice(KEYS): value(rng, depth - 1) for _ in range(rng.randrange(6))}


def completion(rng: random.Random) -> Any:
    """Return a random body of a completion, most often with a message."""
    message = value(rng, 3)
    message = message if isinstance(message, dict) else {"content": message}
    body = {"choices": [{"message": message, "finish_reason": value(rng, 1)}], "usage": value(rng, 2)}
    if rng.random() < 0.5:
        body["usage"] = {"prompt_tokens": value(rng, 0), "completion_tokens": value(rng, 0)}
    return body


@pytest.mark.parametrize(("form", "fields"), [(Texts, {"caption", "queries"}), (Grade, {"grade", "reason"})])
def test_random_completions(form: type[Form], fields: set[str]) -> None:
    rng = random.Random(SEED)
    print(announced(f"{CASES} completions"))
    question = Question(lambda sent: {}, form, "title", "key", 'Like {"caption": "so", "queries": ["or so"]}')
    read: set[bool] = set()
    for _ in range(CASES):
        body = json.loads(json.dumps(completion(rng)))
        assert is_completion(body)
        usage = usage_of(body, question.prompt, (1000, 500))
        answer = kept_answer(body, json.dumps(body), question, usage)
        assert answer == json.loads(json.dumps(answer)) or "nan" in json.dumps(answer).lower()
        assert answer.keys() >= {"usage", "raw", "reader"}
        assert ("failure" in answer) != (fields <= answer.keys())
        assert usage["input_tokens"] >= 16 and usage["output_tokens"] >= 1
        read.add("failure" in answer)
    assert read == {True, False}, "of both kinds"


def errors(rng: random.Random) -> openai.APIError:
    """Return an error with a random body and status."""
    body = value(rng, 4)
    if is_error(body) and rng.random() < 0.5:
        return ReportedError(body, REQUEST)
    kind: Callable[[], bytes] = rng.choice(
        [lambda: json.dumps(body).encode(), lambda: rng.randbytes(50), lambda: b"<p>" * 900]
    )
    response = httpx2.Response(rng.choice([400, 429, 500, 503]), content=kind(), request=REQUEST)
    return openai.APIStatusError("x", response=response, body=None)


def test_random_errors() -> None:
    rng = random.Random(SEED)
    print(announced(f"{CASES} errors"))
    said: set[bool] = set()
    for _ in range(CASES):
        error = errors(rng)
        line = reason(error)
        assert line.isprintable() and len(line) <= 160
        assert describe(error) and is_lasting(error) in (True, False)
        said.add(bool(line))
    assert said == {True, False}, "of both kinds"
