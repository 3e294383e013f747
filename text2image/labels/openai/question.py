"""What is asked about each image, what is made of the answer, and the words for telling about it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from text2image.labels.openai.encode import Upload
from text2image.labels.openai.schema import read_texts, request_body
from text2image.labels.openai.settings import Settings
from text2image.labels.protocol.source import Answer


class Question(NamedTuple):
    """One kind of request.

    Attributes:
        body: the body of the chat-completions request about an upload.
        read: the answer in the body of a completion, ``{"failure": reason}`` if it is none.
        title: who asks, for messages.
        budget_key: the params key of the budget, for messages.
    """

    body: Callable[[Upload], dict[str, Any]]
    read: Callable[[dict[str, Any]], Answer]
    title: str
    budget_key: str


def for_texts(settings: Settings) -> Question:
    """Return the question of the label source ``openai``: a caption and search queries."""
    return Question(
        lambda sent: request_body(settings, sent), read_texts, "label openai", "label.openai.budget_usd"
    )
