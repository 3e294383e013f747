"""The question and the answer: a request's body, and what is made of what comes back.

Servers are not trusted: whatever a body holds becomes a caption and queries, or the name of a failure.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from itertools import islice
from json import JSONDecoder
from typing import Any, NamedTuple, TypeGuard

from pydantic import BaseModel

from text2image.labels.openai.encode import ENCODING, Upload
from text2image.labels.openai.settings import Settings
from text2image.labels.protocol.source import Answer

REFUSED = "refused"
EMPTY = "empty answer"
MALFORMED = "malformed answer"
CUT_OFF = "answer cut off at label.openai.max_tokens"
MAX_QUERIES = 10
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


class Form(BaseModel, ABC):
    """The form in which an answer is asked for."""

    @abstractmethod
    def answer(self) -> Answer:
        """Return what is stored of it."""


class Texts(Form):
    """What the label source asks for."""

    caption: str
    queries: list[str]

    def answer(self) -> Answer:
        """Return ``{"caption", "queries"}``, or ``{"failure": reason}`` if they hold no text."""
        queries = [query for query in self.queries if query.strip()][:MAX_QUERIES]
        if not queries and not self.caption.strip():
            return {"failure": EMPTY}
        return {"caption": self.caption, "queries": queries}


class Question(NamedTuple):
    """One kind of request.

    Attributes:
        body: the body of the chat-completions request about an upload.
        form: what is asked for.
        title: who asks, for messages.
        budget_key: the params key of the budget, for messages.
        repeat: says what asks again for images that got no answer.
    """

    body: Callable[[Upload], dict[str, Any]]
    form: type[Form]
    title: str
    budget_key: str
    repeat: str = "`dvc repro --force` this stage to ask again"


def determinants(settings: Settings) -> dict[str, Any]:
    """Return all that determines an answer besides the image.

    The address is part of it: what another server serves under the same name is another model.
    Whether an answer came alone or in a batch is not, nor what becomes of its texts.
    """
    return {
        "base_url": settings.address,
        "model": settings.model,
        "prompt": settings.prompt,
        "schema": SCHEMA,
        "max_side": settings.max_side,
        "detail": settings.detail,
        "max_tokens": settings.max_tokens,
        "encoding": ENCODING,
    }


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


def texts_question(settings: Settings) -> Question:
    """Return the question of the label source ``openai``: a caption and search queries."""
    return Question(partial(request_body, settings), Texts, "label openai", "label.openai.budget_usd")


def is_completion(body: object) -> TypeGuard[dict[str, Any]]:
    """Say whether a body is a chat completion at all, whatever the model wrote in it."""
    choices = body.get("choices") if isinstance(body, dict) else None
    if not (isinstance(choices, list) and choices and isinstance(choices[0], dict)):
        return False
    return isinstance(choices[0].get("message"), dict)


def read_completion(body: dict[str, Any], form: type[Form]) -> Answer:
    """Return the answer in the body of a chat completion, or ``{"failure": reason}``.

    Servers that do not enforce a form put it between thoughts, remarks and fences: the first JSON object of the
    form that was asked for is the answer.
    """
    choice = body["choices"][0]
    message, finish = choice["message"], choice.get("finish_reason")
    content = message.get("content")
    if message.get("refusal") or finish == "content_filter":
        return {"failure": REFUSED}
    if not isinstance(content, str) or not content.strip():
        return {"failure": CUT_OFF if finish == "length" else EMPTY}
    for start in islice((place.start() for place in re.finditer("{", content)), JSON_STARTS):
        with suppress(ValueError, RecursionError):  # pydantic's errors are ValueErrors
            return form.model_validate(JSONDecoder().raw_decode(content, start)[0], strict=True).answer()
    return {"failure": CUT_OFF if finish == "length" else MALFORMED}


def reported_usage(body: dict[str, Any]) -> tuple[int, int] | None:
    """Return the input and output tokens that a completion reports, or None."""
    usage = body.get("usage")
    if not isinstance(usage, dict):
        return None
    sent, received = usage.get("prompt_tokens"), usage.get("completion_tokens")
    if not (type(sent) is int and type(received) is int):
        return None
    return (sent, received) if 0 <= sent < MOST_TOKENS and 0 <= received < MOST_TOKENS else None
