"""The ways in which servers want the same request, and what is tried when one does not take the first."""

import json
import re
from typing import Any, NamedTuple

from text2image.base.settings import OpenaiRuntime
from text2image.labels.openai.settings import Settings

FORMATS = ("json_schema", "json_object", "none")
TOKEN_LIMITS = ("max_completion_tokens", "max_tokens")
FORM = "\nAnswer with one JSON object and nothing else. It must be valid against this JSON Schema:\n{schema}"
ABOUT_FORMAT = re.compile(
    r"response.?format|json.?schema|json.?object|structured|grammar|guided", re.IGNORECASE
)
ABOUT_TOKENS = re.compile(r"max_(?:completion_)?tokens", re.IGNORECASE)
ABOUT_DETAIL = re.compile(r"\bdetail\b", re.IGNORECASE)


PARAMS_KEYS = {
    ABOUT_FORMAT: "runtime.openai.response_format",
    ABOUT_TOKENS: "runtime.openai.token_limit",
    ABOUT_DETAIL: "label.openai.detail",
}
"""What sets how a request is put, by what a server's reason speaks of."""


def advice(reason: str) -> str:
    """Return the params key that sets what a server's reason speaks of, as the end of a sentence; "" if there is none."""
    key = next((key for about, key in PARAMS_KEYS.items() if about.search(reason)), "")
    return f" (params key {key})" if key else ""


class Dialect(NamedTuple):
    """How a request is put. No part of what answers are stored under: the question stays the same.

    Attributes:
        response_format: one of ``FORMATS``. But for ``json_schema``, the prompt says the form, too.
        token_limit: what the server calls the longest answer that is wanted.
        detail: whether it is told how closely to look.
    """

    response_format: str
    token_limit: str
    detail: bool = True

    def put(self, body: dict[str, Any]) -> dict[str, Any]:
        """Return the body of a request (:func:`text2image.labels.openai.schema.request_body`) in this dialect."""
        body = dict(body)
        asked = body.pop("response_format")
        limit = next(body.pop(name) for name in TOKEN_LIMITS if name in body)
        body[self.token_limit] = limit
        (message,) = body["messages"]
        text, image = message["content"]
        if self.response_format == "json_schema":
            body["response_format"] = asked
        else:
            schema = json.dumps(asked["json_schema"]["schema"], ensure_ascii=False)
            text = text | {"text": text["text"] + FORM.format(schema=schema)}
        if self.response_format == "json_object":
            body["response_format"] = {"type": "json_object"}
        if not self.detail:
            image = image | {"image_url": {"url": image["image_url"]["url"]}}
        body["messages"] = [message | {"content": [text, image]}]
        return body


class Dialects:
    """The dialect of a run, which changes when the server does not take it, and where params.yaml leaves it open."""

    def __init__(self, settings: Settings, runtime: OpenaiRuntime) -> None:
        fixed_format, fixed_limit = runtime.response_format, runtime.token_limit
        self._formats: list[str] = list(FORMATS) if fixed_format == "auto" else [fixed_format]
        # The service wants ``max_completion_tokens`` (its newer models know nothing else), local servers
        # ``max_tokens`` (Ollama knows nothing else).
        limits = list(TOKEN_LIMITS[::-1] if settings.base_url else TOKEN_LIMITS)
        self._limits: list[str] = limits if fixed_limit == "auto" else [fixed_limit]
        self.now = Dialect(self._formats[0], self._limits[0], settings.detail is not None)

    def resume(self, dialect: Dialect) -> None:
        """Begin with the dialect that an earlier run ended with, as far as params.yaml leaves it open."""
        if dialect.response_format in self._formats:
            del self._formats[: self._formats.index(dialect.response_format)]
        if dialect.token_limit in self._limits:
            del self._limits[: self._limits.index(dialect.token_limit)]
        self.now = Dialect(self._formats[0], self._limits[0], self.now.detail and dialect.detail)

    def fall_back(self, used: Dialect, reason: str) -> str | None:
        """Change what a server's reason names, if anything else can be tried.

        Args:
            used: the dialect of the request that it turned away; if another one is in use by now, that is tried.

        Returns:
            What is said of it, "" if there is nothing to say; None if nothing else can be tried.
        """
        if used != self.now:
            return ""
        if ABOUT_FORMAT.search(reason) and len(self._formats) > 1:
            del self._formats[0]
            self.now = used._replace(response_format=self._formats[0])
            return f"response_format {used.response_format}; asked with {self._formats[0]} from now on"
        if ABOUT_TOKENS.search(reason) and len(self._limits) > 1:
            del self._limits[0]
            self.now = used._replace(token_limit=self._limits[0])
            return f"{used.token_limit}; asked with {self._limits[0]} from now on"
        if ABOUT_DETAIL.search(reason) and used.detail:
            self.now = used._replace(detail=False)
            return "detail; asked without it from now on"
        return None
