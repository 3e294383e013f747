"""Answers of chat servers, damaged or hostile: an answer, or the name of a failure."""

from __future__ import annotations

import json
from typing import Any

import httpx2
import openai
from hypothesis import example, given
from hypothesis import strategies as st

from tests.support.fuzzing import TOKENS, fuzz, mutated
from text2image.labels.openai.reasons import QUOTED_CHARACTERS, reason
from text2image.labels.openai.schema import (
    MAX_QUERIES,
    Texts,
    is_completion,
    read_completion,
    reported_usage,
    usage_of,
)

PROMPT = 'Answer as {"caption": "a green hat", "queries": ["green hat", "hat for summer"]}.'
CONTENTS = (
    '{"caption": "A red shoe.", "queries": ["red shoe", "shoe for summer"]}',
    '<think>{"caption": "query 1"} no</think>```json\n{"caption": "A dog", "queries": []}\n```',
    'Sure! {"caption": "a } brace", "queries": ["{", "\\ud800", "x"]} I hope it helps {}',
    "reasoning</think> {'caption': 'single'}",
)
BODIES = [
    json.dumps(
        {
            "id": "x", "object": "chat.completion", "model": "m",
            "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": content}}],
            "usage": {"prompt_tokens": 900, "completion_tokens": 40, "total_tokens": 940},
        }
    ).encode()
    for content in (
        *CONTENTS,
        [{"type": "text", "text": CONTENTS[0]}, {"type": "reasoning", "text": "hm"}, "x"],
        None,
    )
]  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from([*CONTENTS, "", "stop", "length", "text"]) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["type", "text", "value", "content", "caption", "queries", "x"]), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


def check(body: Any) -> None:
    """Read a body as a run does; what is stored of it has to be a text in JSON."""
    if not is_completion(body):
        return
    answer = read_completion(body, Texts, PROMPT)
    json.dumps(answer).encode()
    if "failure" in answer:
        assert isinstance(answer["failure"], str)
        assert answer["failure"].isprintable()
    else:
        assert isinstance(answer["caption"], str)
        assert len(answer["queries"]) <= MAX_QUERIES
        assert all(isinstance(query, str) for query in answer["queries"])
    usage = usage_of(body, PROMPT, (1000, 300))
    assert usage["input_tokens"] > 0
    assert usage["output_tokens"] > 0
    assert reported_usage(body) is None or min(reported_usage(body) or ()) >= 0


@fuzz(150)
@given(
    raw=mutated(
        BODIES,
        (*TOKENS, b'{"a":' * 3000, b"{" * 30_000, b"\\ud800", b"<think>", b"</think>", b"1e400", b"NaN"),
    )
)
@example(raw=BODIES[0].replace(b"A red", b"{" * 200_000))
def test_a_damaged_answer_is_read_or_its_failure_named(raw: bytes) -> None:
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        return
    check(body)


@fuzz(150)
@given(
    message=st.dictionaries(
        st.sampled_from(["content", "refusal", "reasoning_content", "reasoning", "thinking", "role"]), JSON
    ),
    finish=JSON,
    usage=JSON,
)
def test_a_hostile_answer_is_read_or_its_failure_named(
    message: dict[str, Any], finish: Any, usage: Any
) -> None:
    check({"choices": [{"message": message, "finish_reason": finish}], "usage": usage})
    check(
        {
            "choices": [{"message": {"content": json.dumps(message)}}],
            "usage": {"prompt_tokens": usage, "completion_tokens": finish},
        }
    )


@fuzz(150)
@given(
    content=mutated(
        [content.encode() for content in CONTENTS], (*TOKENS, b"<think>", b"</think>", b"{", b"}", b"\\")
    )
)
def test_what_a_model_wrote_is_read_or_its_failure_named(content: bytes) -> None:
    check({"choices": [{"message": {"content": content.decode("utf-8", "surrogateescape")}}]})


REASONS = (
    b'{"error": {"message": "no such model", "type": "x", "param": "model"}}',
    b'{"detail": [{"loc": ["body", "messages", 0], "msg": "field required"}, {"loc": [], "msg": "x"}]}',
    b"<html><head><title>502</title></head><body><h1>Bad gateway</h1><script>x</script></body></html>",
    b"out of memory",
)


@fuzz(150)
@given(
    content=mutated(REASONS, (*TOKENS, b"<", b"<script>", b"</head>", b"&#x0;", b"&amp;", b"<head " * 5000))
)
def test_what_a_server_says_of_an_error_is_one_short_line(content: bytes) -> None:
    response = httpx2.Response(500, content=content, request=httpx2.Request("POST", "http://127.0.0.1/v1"))
    said = reason(openai.APIStatusError("x", response=response, body=None))
    assert len(said) <= QUOTED_CHARACTERS
    assert said == "" or said.isprintable()
