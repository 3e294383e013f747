"""The question and the answer: a request's body, and what is made of what comes back.

Servers are not trusted: whatever a body holds becomes a caption and queries, or the name of a failure.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, TypeGuard, TypeVar

from pydantic import BaseModel, ValidationError

from text2image.labels.openai.encode import ENCODING, Upload
from text2image.labels.openai.settings import Settings
from text2image.labels.protocol.source import Answer

SERVICE = "https://api.openai.com/v1"
REFUSED = "refused"
EMPTY = "empty answer"
MALFORMED = "malformed answer"
CUT_OFF = "answer cut off at label.openai.max_tokens"
MAX_QUERIES = 10
Form = TypeVar("Form", bound=BaseModel)
MOST_TOKENS = 10**8  # that a report of usage is believed
JSON_STARTS = 20  # places where a JSON object may begin in an answer, of which at most so many are tried

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "caption": {"type": "string", "description": "One short sentence: what the picture shows."},
        "queries": {
            "type": "array",
            "items": {"type": "string"},
            "description": "Two or three search queries as a customer would type them.",
        },
    },
    "required": ["caption", "queries"],
    "additionalProperties": False,
}


class Texts(BaseModel):
    """An answer in the form that was asked for."""

    caption: str
    queries: list[str]


def determinants(settings: Settings) -> dict[str, Any]:
    """Return all that determines an answer besides the image.

    The address is part of it: what another server serves under the same name is another model.
    Whether an answer came alone or in a batch is not, nor what becomes of its texts.
    """
    return {
        "base_url": address(settings),
        "model": settings.model,
        "prompt": settings.prompt,
        "schema": SCHEMA,
        "max_side": settings.max_side,
        "detail": settings.detail,
        "max_tokens": settings.max_tokens,
        "encoding": ENCODING,
    }


def address(settings: Settings) -> str:
    """Return the address of the server, without a final slash."""
    return (settings.base_url or SERVICE).rstrip("/")


def request_body(settings: Settings, upload: Upload) -> dict[str, Any]:
    """Return the body of a chat-completions request about one image.

    The service wants ``max_completion_tokens`` (its newer models know nothing else), local servers
    ``max_tokens`` (Ollama knows nothing else).
    """
    image = {"type": "image_url", "image_url": {"url": upload.url, "detail": settings.detail}}
    return {
        "model": settings.model,
        "messages": [{"role": "user", "content": [{"type": "text", "text": settings.prompt}, image]}],
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "image_texts", "schema": SCHEMA, "strict": True},
        },
        "max_tokens" if settings.base_url else "max_completion_tokens": settings.max_tokens,
    }


def is_completion(body: object) -> TypeGuard[dict[str, Any]]:
    """Say whether a body is a chat completion at all, whatever the model wrote in it."""
    choices = body.get("choices") if isinstance(body, dict) else None
    if not (isinstance(choices, list) and choices and isinstance(choices[0], dict)):
        return False
    return isinstance(choices[0].get("message"), dict)


def read_texts(body: dict[str, Any]) -> Answer:
    """Return ``{"caption", "queries"}`` or ``{"failure": reason}`` for the body of a chat completion."""

    def reading(texts: Texts) -> Answer:
        queries = [query for query in texts.queries if query.strip()][:MAX_QUERIES]
        if not queries and not texts.caption.strip():
            return {"failure": EMPTY}
        return {"caption": texts.caption, "queries": queries}

    return read_completion(body, Texts, reading)


def read_completion(body: dict[str, Any], form: type[Form], reading: Callable[[Form], Answer]) -> Answer:
    """Return what ``reading`` makes of the answer of a ``form``, or ``{"failure": reason}``."""
    choice = body["choices"][0]
    message, finish = choice["message"], choice.get("finish_reason")
    content = message.get("content")
    if message.get("refusal") or finish == "content_filter":
        return {"failure": REFUSED}
    if not isinstance(content, str) or not content.strip():
        return {"failure": CUT_OFF if finish == "length" else EMPTY}
    for candidate in _candidates(content, form):
        return reading(candidate)
    return {"failure": CUT_OFF if finish == "length" else MALFORMED}


def _candidates(content: str, form: type[Form]) -> Iterator[Form]:
    """Yield what in ``content`` has the form that was asked for.

    Servers that do not enforce a schema put it between thoughts, remarks and fences.
    """
    decoder, start = json.JSONDecoder(), -1
    for _ in range(JSON_STARTS):
        start = content.find("{", start + 1)
        if start < 0:
            return
        try:
            yield form.model_validate(decoder.raw_decode(content, start)[0], strict=True)
        except (ValidationError, ValueError, RecursionError):
            continue


def reported_usage(body: dict[str, Any]) -> tuple[int, int] | None:
    """Return the input and output tokens that a completion reports, or None."""
    usage = body.get("usage")
    if not isinstance(usage, dict):
        return None
    sent, received = usage.get("prompt_tokens"), usage.get("completion_tokens")
    if not (type(sent) is int and type(received) is int):
        return None
    return (sent, received) if 0 <= sent < MOST_TOKENS and 0 <= received < MOST_TOKENS else None
