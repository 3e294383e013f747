"""The server behind ``label.openai.base_url``: its key, its client, and what its errors mean for a run."""

import json
import logging
import os
from collections import Counter
from contextlib import suppress
from typing import Any, NamedTuple

import httpx2
import openai

from text2image.base.console import InputError, one_line
from text2image.labels.openai.dialect import advice
from text2image.labels.openai.pace import LONGEST_ASKED, retry_after
from text2image.labels.openai.reasons import (
    KEY,
    TURNED_AWAY,
    ReportedError,
    describe,
    explain,
    hide_key,
    is_error,
    is_lasting,
    is_timeout,
    reason,
    status_of,
    was_sent,
)
from text2image.labels.openai.schema import completion_in
from text2image.labels.openai.settings import Settings
from text2image.labels.openai.transport import Redirected, Unacceptable, new_client, within

NO_KEY = "none"  # what local servers get, which ask for no key
SLOW_ADVICE = "raise runtime.openai.timeout if the model needs longer; "
LOST_IN_A_ROW = 5  # images that got no answer, one after the other, before a run ends
LASTING_TRIES = 3  # errors in a row, of all images together, with a reason that lasts, before a run ends
BROKEN_TRIES = 10  # other errors of a server that has answered nothing yet, before a run ends
LOGGERS = ("openai", "httpx2", "httpcore2", "httpx", "httpcore")  # they can be told to log what is secret


class Completion(NamedTuple):
    """The body of a chat completion, and all that came, as text without the key."""

    body: dict[str, Any]
    raw: str


class UnreadableAnswer(openai.APIError):
    """A reply that is neither a completion nor an error; ``raw`` is what came, without the key."""

    def __init__(self, raw: str, request: httpx2.Request) -> None:
        super().__init__("unreadable answer", request, body=None)
        self.raw = raw


def api_key(settings: Settings) -> str:
    """Return the key from the environment; another server than the service may do without.

    Raises:
        InputError: there is none, or it cannot be one.
    """
    key = os.environ.get(KEY, "").strip()
    if not key and settings.base_url is None:
        raise InputError(
            f"expected a key of the service in the environment variable {KEY} for label source 'openai', "
            f"found none (servers of your own at label.openai.base_url may do without)"
        )
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise InputError(f"expected printable ASCII without blanks in the environment variable {KEY}")
    return key or NO_KEY


def client(settings: Settings, timeout: float) -> openai.AsyncOpenAI:
    """Return a client of the server with the bounds of :mod:`text2image.labels.openai.transport`.

    Args:
        timeout: seconds for each step of a request.
    """
    for name in LOGGERS:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    return new_client(settings.address, api_key(settings), timeout)


async def complete(client: openai.AsyncOpenAI, body: dict[str, Any], seconds: float) -> Completion:
    """Send one chat-completions request and return the completion as it came, within some ``seconds``.

    Raises:
        openai.APIError: there is none.
    """
    reply = await within(seconds, client.chat.completions.with_raw_response.create(**body))
    raw = hide_key(reply.content.decode("utf-8-sig", "replace"))
    if (completion := completion_in(raw)) is not None:
        return Completion(completion, raw)
    with suppress(ValueError, RecursionError):
        if is_error(received := json.loads(raw)):
            raise ReportedError(received, reply.http_request)
    raise UnreadableAnswer(raw, reply.http_request)


def wait_to_retry(error: openai.APIError, settings: Settings) -> float:
    """Return the seconds that the server asks to wait before the same request may succeed.

    It may after 429 (but for want of money), 5xx, 408, 409, a lost connection or an unreadable answer.

    Raises:
        InputError: no repetition will cure the error, or the wait is so long that the run had better end.
    """
    if isinstance(error, Redirected):
        raise fatal(error, settings) from None
    status, out_of_money = status_of(error), error.code == "insufficient_quota"
    if status is None:
        return 0.0
    if not (status >= 500 or status in (408, 409) or (status == 429 and not out_of_money)):
        raise fatal(error, settings) from None
    seconds = retry_after(error.response.headers) if isinstance(error, openai.APIStatusError) else 0.0
    if seconds > LONGEST_ASKED:
        raise InputError(
            f"expected answers from {settings.address} (params key label.openai.base_url), found that it "
            f"asks to wait {seconds:.0f} s; answers so far are kept, run again then"
        )
    return seconds


def fatal(error: openai.APIError, settings: Settings) -> InputError:
    """Return the sentence that ends a run for an error that no repetition will cure."""
    where = f"{settings.address} (params key label.openai.base_url)"
    status = status_of(error)
    if isinstance(error, Redirected):
        return InputError(
            f"expected {where} to answer itself, found {one_line(hide_key(error.message))}, which is not followed, since "
            "pictures would be sent there; set the address that is meant"
        )
    if status == 401:
        return InputError(
            f"expected a key that {where} accepts in {KEY}, found that it refuses it (status 401)"
        )
    if status == 429:
        return InputError(
            f"expected an account with credit at {where}, found that its quota is used up (status 429); "
            "answers so far are kept, run again when there is credit"
        )
    return InputError(
        f"expected {where} to take requests for model '{settings.model}' (params key label.openai.model), "
        f"found {explain(error)}{advice(reason(error))}; {SLOW_ADVICE if is_timeout(error) else ''}answers so far are kept"
    )


class Troubles:
    """What a run met with, and when that is enough.

    Attributes:
        answers: that came.
        lost: images that stayed without one.
        last: the last error, with the server's reason.
    """

    def __init__(self, settings: Settings) -> None:
        self.answers, self.lost, self.last, self._too_slow = 0, 0, "", False
        self._settings = settings
        self._met: Counter[str] = Counter()
        self._reasons: dict[str, str] = {}
        self._lost_in_a_row = self._lasting = self._broken = 0

    def count_answer(self) -> None:
        """Take note that an answer came."""
        self.answers += 1
        self._lost_in_a_row = self._lasting = self._broken = 0

    def count(self, error: openai.APIError) -> float:
        """Take note of an error; return the seconds that the server asks to wait before the next try.

        Raises:
            InputError: another try would bring nothing (:func:`wait_to_retry`), or few have brought nothing where the
                server's reason is one that lasts, or it has answered nothing yet.
        """
        what, status = describe(error), status_of(error)
        asked = wait_to_retry(error, self._settings)
        self.last, self._too_slow = explain(error), is_timeout(error)
        self._met[what] += 1
        self._reasons.setdefault(what, reason(error))
        self._lasting += is_lasting(error)
        odd = isinstance(error, Unacceptable | UnreadableAnswer) or is_timeout(error) or not was_sent(error)
        self._broken += odd or (status is not None and status >= 500 and status not in TURNED_AWAY)
        if self._lasting >= LASTING_TRIES or (self._broken >= BROKEN_TRIES and not self.answers):
            raise fatal(error, self._settings)
        return asked

    def count_lost(self, failure: str) -> None:
        """Take note of an image without an answer.

        Raises:
            InputError: several in a row had none.
        """
        self.lost += 1
        self._lost_in_a_row += 1
        if self._lost_in_a_row >= LOST_IN_A_ROW:
            raise InputError(
                f"expected answers from {self._settings.address} (params key label.openai.base_url), found "
                f"{failure} for {LOST_IN_A_ROW} images in a row, lastly {self.last}; "
                f"{SLOW_ADVICE if self._too_slow else ''}answers so far are kept, run again later"
            )

    def summary(self) -> str:
        """Return what had to be asked again, and how often, with what the server said first; "" for nothing."""
        return ", ".join(
            f"{count} × {what}" + (f" ({said})" if (said := self._reasons[what]) else "")
            for what, count in sorted(self._met.items())
        )
