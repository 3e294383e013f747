"""The question and the answer: a request's body, and what is made of what comes back.

Servers are not trusted: whatever a body holds becomes a caption and queries, or the name of a failure.
"""

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple, TypeGuard

from text2image.labels.openai.encode import ENCODING, Upload
from text2image.labels.openai.reading import EMPTY, READER, THOUGHT_FIELDS, Form, read_message, written
from text2image.labels.openai.settings import Settings
from text2image.labels.protocol.source import Answer

MAX_QUERIES = 10
MOST_TOKENS = (
    10**6
)  # that a request about one picture is believed to take: a wild report would use up any budget
LEAST_IMAGE_TOKENS = 16  # that an image takes in any model
MOST_CHARACTERS = 8  # of a text that make a token, on average, in any model
USAGE = ("input_tokens", "output_tokens")

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
DESCRIPTIONS = {part["description"] for part in SCHEMA["properties"].values()}
READ = ("caption", "queries", "grade", "reason", "failure")  # what of a stored answer was read from what came


class Texts(Form):
    """What the label source asks for."""

    caption: str
    queries: list[str]

    def answer(self, is_copy: Callable[[str], bool]) -> Answer | None:
        """Return ``{"caption", "queries"}``, or ``{"failure": reason}`` if they hold no text; copies are left out."""

        def copied(text: str) -> bool:
            return is_copy(text) or text.strip() in DESCRIPTIONS

        written = [query for query in self.queries if query.strip()]
        queries = [query for query in written if not copied(query)][:MAX_QUERIES]
        caption = "" if copied(self.caption) else self.caption
        if queries or caption.strip():
            return {"caption": caption, "queries": queries}
        return None if written or self.caption.strip() else {"failure": EMPTY}


class Question(NamedTuple):
    """One kind of request.

    Attributes:
        body: the body of the chat-completions request about an upload.
        form: what is asked for.
        title: who asks, for messages.
        budget_key: the params key of the budget, for messages.
        prompt: the instructions, of whose examples copies are no answers.
        repeat: says what asks again for images that got no answer.
    """

    body: Callable[[Upload], dict[str, Any]]
    form: type[Form]
    title: str
    budget_key: str
    prompt: str
    repeat: str = "`dvc repro -f -s NAME`, of this stage, asks again, then `dvc repro`"


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
    """Return the body of a chat-completions request about one image, which a dialect puts as the server takes it."""
    detail = {} if settings.detail is None else {"detail": settings.detail}
    image = {"type": "image_url", "image_url": {"url": upload.url} | detail}
    return {
        "model": settings.model,
        "messages": [{"role": "user", "content": [{"type": "text", "text": settings.prompt}, image]}],
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "image_texts", "schema": SCHEMA, "strict": True},
        },
        "max_completion_tokens": settings.max_tokens,
    }


def texts_question(settings: Settings) -> Question:
    """Return the question of the label source ``openai``: a caption and search queries."""
    body = partial(request_body, settings)
    return Question(body, Texts, "label openai", "label.openai.budget_usd", settings.prompt)


def is_completion(body: object) -> TypeGuard[dict[str, Any]]:
    """Say whether a body is a chat completion at all, whatever the model wrote in it."""
    choices = body.get("choices") if isinstance(body, dict) else None
    if not (isinstance(choices, list) and choices and isinstance(choices[0], dict)):
        return False
    return isinstance(choices[0].get("message"), dict)


def completion_in(raw: str) -> dict[str, Any] | None:
    """Return the body of the chat completion that a server's reply is; None if it is none."""
    body: object = None
    with suppress(ValueError, RecursionError):
        body = json.loads(raw)
    return body if is_completion(body) else None


def read_completion(body: dict[str, Any], form: type[Form], prompt: str = "") -> Answer:
    """Return the answer in the body of a chat completion, or ``{"failure": reason}`` (:func:`read_message`)."""
    choice = body["choices"][0]
    return read_message(choice["message"], choice.get("finish_reason"), form, prompt)


def kept_answer(body: dict[str, Any], raw: str, question: "Question", usage: Mapping[str, Any]) -> Answer:
    """Return what is stored of a completion that was paid for.

    That is what was read of it, ``usage`` (what it cost), ``raw`` (all that came) and ``reader`` (the version of what
    read it).
    """
    read = read_completion(body, question.form, question.prompt)
    return read | {"usage": dict(usage), "raw": raw, "reader": READER}


def is_unread(answer: Answer) -> bool:
    """Tell whether an earlier reader could not read a stored answer, and this one has not tried."""
    return "failure" in answer and answer.get("reader", READER) != READER


def read_again(answer: Answer, question: Question) -> Answer:
    """Return a stored answer, which has its ``raw`` texts, as this reader reads it: the last one that holds an answer."""
    raws = [usage.get("raw", "") for usage in (answer, *answer.get("earlier", ()))]
    bodies = [body for raw in raws if (body := completion_in(raw)) is not None]
    reads = [read_completion(body, question.form, question.prompt) for body in bodies]
    read = next((one for one in reads if "failure" not in one), reads[0] if reads else {})
    kept = {name: value for name, value in answer.items() if name not in READ or not read}
    return kept | read | {"reader": READER}


def read_reply(raw: str, question: Question, expected: tuple[int, int]) -> Answer | None:
    """Return what is stored of a reply that no reader took for a completion before; None if this one does not, either.

    Args:
        raw: all that came.
        question: that was asked.
        expected: input and output tokens that the request may have taken at most.
    """
    body = completion_in(raw)
    if body is None:
        return None
    return kept_answer(body, raw, question, usage_of(body, question.prompt, expected))


def reported_usage(body: dict[str, Any]) -> tuple[int, int] | None:
    """Return the input and output tokens that a completion reports, or None."""
    usage = body.get("usage")
    if not isinstance(usage, dict):
        return None
    sent, received = usage.get("prompt_tokens"), usage.get("completion_tokens")
    if not (type(sent) is int and type(received) is int):
        return None
    return (sent, received) if 0 <= sent < MOST_TOKENS and 0 <= received < MOST_TOKENS else None


def usage_of(body: dict[str, Any], prompt: str, expected: tuple[int, int]) -> dict[str, Any]:
    """Return the usage of a request that is counted: what the server reports, if that can be.

    A report of fewer tokens than the prompt and the answer have at least, or none, is not believed: then at least what
    was ``expected`` at most, input and output tokens, counts, and ``estimated`` says so.
    """
    message = body["choices"][0]["message"]
    received = sum(len(written(message.get(name))) for name in ("content", *THOUGHT_FIELDS))
    reported = reported_usage(body) or (0, 0)
    least = LEAST_IMAGE_TOKENS + len(prompt) // MOST_CHARACTERS, received // MOST_CHARACTERS
    believed = reported[0] >= least[0] and reported[1] >= max(1, least[1])
    tokens = reported if believed else tuple(map(max, reported, expected))
    return dict(zip(USAGE, tokens, strict=True)) | ({} if believed else {"estimated": True})
