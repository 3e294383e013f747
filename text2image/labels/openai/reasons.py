"""Why a server gave no answer: its reason, in whatever form it gives one, and what can be done about it."""

import html
import json
import os
import re
from collections.abc import Iterator
from contextlib import suppress

import httpx2
import openai

from text2image.base.console import one_line
from text2image.labels.openai.transport import OutOfTime, Unacceptable

KEY = "OPENAI_API_KEY"
READ_CHARACTERS = 20_000  # of what a server says, where its reason is looked for
QUOTED_CHARACTERS = 160
SECRET_CHARACTERS = 12
DEEPEST = 6
NAMES = ("error", "detail", "message", "msg", "reason", "title", "description", "error_description", "errors")
NOT_SENT = ("ConnectError", "ConnectTimeout", "PoolTimeout")  # the transport's errors before it sends
TURNED_AWAY = (429, 502, 503, 504, 529)  # statuses of a moment, whatever the reason given
LASTING = re.compile(
    r"memory|not (?:been )?(?:found|loaded|installed|supported|available|exist)|n['o]t support|does ?n[o']t exist|unsupported"
    r"|no such model|unknown model|invalid model|mmproj|vision (?:add-on|encoder|projector)|image input"
    r"|certificate|context (?:length|size|window)|exceeds? the (?:maximum|available)|licen[cs]e|permission|not allowed",
    re.IGNORECASE,
)  # reasons that the same request will meet again
OF_A_MOMENT = re.compile(
    r"overload|rate.?limit|too many requests|try(?:ing)? again|retry|busy|temporar|loading model|starting|timed? ?out",
    re.IGNORECASE,
)


class ReportedError(openai.APIError):
    """An error in a reply whose status says that there is none; ``status`` is the one that the error names."""

    def __init__(self, body: dict[str, object], request: httpx2.Request) -> None:
        super().__init__("an error instead of an answer", request, body=body)
        error = body.get("error")
        code = error.get("code", error.get("status")) if isinstance(error, dict) else None
        named = type(code) is int and 400 <= code < 600
        moment = bool(OF_A_MOMENT.search(reason(self)))
        self.status: int = code if named and isinstance(code, int) else 503 if moment else 400


def is_error(body: object) -> bool:
    """Tell whether a body says that something went wrong, and holds no answer."""
    if not isinstance(body, dict) or body.get("choices"):
        return False
    return bool(body.get("error") or body.get("detail")) or body.get("object") == "error"


def hide_key(text: str) -> str:
    """Return a text without the key, which a server may repeat; a key too short for a secret ("none") stays."""
    key = os.environ.get(KEY, "").strip()
    for form in (key, json.dumps(key)[1:-1]) if len(key) >= SECRET_CHARACTERS else ():
        text = text.replace(form, f"[{KEY}]")
    return text


def status_of(error: openai.APIError) -> int | None:
    """Return the status that an error stands for; None where no answer came, or none that can be read."""
    if isinstance(error, openai.APIStatusError):
        return error.status_code
    return error.status if isinstance(error, ReportedError) else None


def reason(error: openai.APIError) -> str:
    """Return what the server said, on one short line without the key; "" if it said nothing.

    It may be JSON of several forms (``{"error": "…"}``, ``{"error": {"message": "…"}}``, ``{"detail": …}``), plain text
    or a page of HTML. Where no server was reached, it is what the system says.
    """
    if isinstance(error, openai.APIConnectionError):
        return _short(_cause(error))
    if isinstance(error, openai.APIStatusError):
        return _short(_said_in(error.response.content.decode("utf-8-sig", "replace")))
    return reason_in(error.body) if isinstance(error, ReportedError) else ""


def _cause(error: BaseException) -> str:
    """Return what the system says of a connection: the text of the innermost error that has one."""
    said, inner = "", error.__cause__ or error.__context__
    while inner is not None:
        said = str(inner) or said
        inner = inner.__cause__ or inner.__context__
    return said


def reason_in(body: object) -> str:
    """Return what the body of an error says, read from JSON, in the same form."""
    return _short("; ".join(_said(body, 0)))


def _short(said: str) -> str:
    return one_line(hide_key(" ".join(said.split())), QUOTED_CHARACTERS)


def _said_in(text: str) -> str:
    with suppress(ValueError, RecursionError):
        return "; ".join(_said(json.loads(text), 0))
    text = text[:READ_CHARACTERS]
    if "<" not in text:
        return text
    text = (
        re.sub(r"(?is)<(script|style|head)\b.*?(</\1\s*>|\Z)", " ", text) if text.count("<") < 1000 else text
    )
    return html.unescape(re.sub(r"<[^<>]*>?", " ", text))


def _said(value: object, depth: int) -> Iterator[str]:
    """Yield what a body says, the first three things of a list, each with the name of what it is about."""
    if isinstance(value, str):
        if value.strip():
            yield value.strip()
    elif depth > DEEPEST:
        return
    elif isinstance(value, list):
        for part in value[:3]:
            yield from _said(part, depth + 1)
    elif isinstance(value, dict):
        place = value.get("loc", value.get("param"))
        about = (
            ".".join(map(str, place[:6]))
            if isinstance(place, list)
            else place
            if isinstance(place, str)
            else ""
        )
        for name in NAMES:
            if said := list(_said(value.get(name), depth + 1)):
                yield f"{about}: {said[0]}" if about and about not in said[0] else said[0]
                yield from said[1:3]
                return


def is_timeout(error: openai.APIError) -> bool:
    """Tell whether an answer took longer than it may."""
    return isinstance(error, OutOfTime | openai.APITimeoutError)


def describe(error: openai.APIError) -> str:
    """Return an error in a few words, without the server's reason."""
    if is_timeout(error):
        return "no answer in time"
    if isinstance(error, Unacceptable):
        return one_line(hide_key(error.message))
    if isinstance(error, openai.APIStatusError):
        return f"status {error.status_code}"
    if isinstance(error, ReportedError):
        return "an error instead of an answer"
    if isinstance(error, openai.APIConnectionError):
        return "connection lost" if was_sent(error) else "no connection"
    return "unreadable answer"


def explain(error: openai.APIError) -> str:
    """Return an error with the server's reason."""
    said = reason(error)
    return f"{describe(error)}: {said}" if said else describe(error)


def is_lasting(error: openai.APIError) -> bool:
    """Tell whether a server that may be asked again gives a reason that the same request will meet again."""
    status, said = status_of(error), reason(error)
    return status not in TURNED_AWAY and bool(LASTING.search(said)) and not OF_A_MOMENT.search(said)


def was_sent(error: openai.APIError) -> bool:
    """Tell whether a request reached a server at all."""
    return not isinstance(error, openai.APIConnectionError) or type(error.__cause__).__name__ not in NOT_SENT


def may_be_charged(error: openai.APIError) -> bool:
    """Say whether a request that got no answer may have been worked on: it was sent, and its answer lost."""
    return was_sent(error) and not isinstance(error, openai.APIStatusError | ReportedError)
