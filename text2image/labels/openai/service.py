"""The server behind ``label.openai.base_url``: its key, its clients, and what its errors mean."""

import json
import logging
import os
from contextlib import suppress
from typing import Any

import openai

from text2image.base.console import InputError, one_line
from text2image.labels.openai.pace import LONGEST_ASKED, retry_after
from text2image.labels.openai.schema import is_completion
from text2image.labels.openai.settings import Settings

KEY = "OPENAI_API_KEY"
NO_KEY = "none"  # what local servers get, which ask for no key
NOT_SENT = ("ConnectError", "ConnectTimeout", "PoolTimeout")  # the transport's errors before it sends
LOGGERS = ("openai", "httpx2", "httpcore2", "httpx", "httpcore")  # they can be told to log what is secret


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


def client_options(settings: Settings, timeout: float) -> dict[str, Any]:
    """Return the arguments of an SDK client that never retries by itself; ``timeout`` in seconds.

    The address is always given, so that no variable of the environment changes it.
    """
    for name in LOGGERS:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    address, key = settings.address, api_key(settings)
    return {"api_key": key, "base_url": address, "timeout": timeout, "max_retries": 0}


async def complete(client: openai.AsyncOpenAI, body: dict[str, Any]) -> dict[str, Any]:
    """Send one chat-completions request and return the body of the completion as it came.

    Raises:
        openai.APIError: there is none; what is no completion counts as an unreadable answer.
    """
    raw = await client.chat.completions.with_raw_response.create(**body)
    received: object = None
    with suppress(ValueError, RecursionError):
        received = json.loads(raw.content)
    if not is_completion(received):
        raise openai.APIResponseValidationError(raw.http_response, received)
    return received


def may_be_charged(error: openai.APIError) -> bool:
    """Say whether a request that got no answer may have been worked on: it was sent, and its answer lost."""
    lost = isinstance(error, openai.APIConnectionError | openai.APIResponseValidationError)
    return lost and type(error.__cause__).__name__ not in NOT_SENT


def wait_to_retry(error: openai.APIError, settings: Settings) -> float:
    """Return the seconds that the server asks to wait before the same request may succeed.

    It may after 429 (but for want of money), 5xx, 408, 409, a lost connection or an unreadable answer.

    Raises:
        InputError: no repetition will cure the error, or the wait is so long that the run had better end.
    """
    if isinstance(error, openai.APIConnectionError | openai.APIResponseValidationError):
        return 0.0
    if not isinstance(error, openai.APIStatusError):
        raise fatal(error, settings) from None
    status, out_of_money = error.status_code, error.code == "insufficient_quota"
    if not (status >= 500 or status in (408, 409) or (status == 429 and not out_of_money)):
        raise fatal(error, settings) from None
    seconds = retry_after(error.response.headers)
    if seconds > LONGEST_ASKED:
        raise InputError(
            f"expected answers from {settings.address} (params key label.openai.base_url), found that it "
            f"asks to wait {seconds:.0f} s; answers so far are kept, run again then"
        )
    return seconds


def describe(error: openai.APIError) -> str:
    """Return an error in a few words, without what could hold the key."""
    if isinstance(error, openai.APITimeoutError):
        return "no answer in time"
    if isinstance(error, openai.APIStatusError):
        return f"status {error.status_code}"
    return "connection lost" if isinstance(error, openai.APIConnectionError) else "unreadable answer"


def fatal(error: openai.APIError, settings: Settings) -> InputError:
    """Return the sentence that ends a run for an error that no repetition will cure."""
    where = f"{settings.address} (params key label.openai.base_url)"
    status = getattr(error, "status_code", None)
    if status == 401:
        return InputError(
            f"expected a key that {where} accepts in {KEY}, found that it refuses it (status 401)"
        )
    if status == 429:
        return InputError(
            f"expected an account with credit at {where}, found that its quota is used up (status 429); "
            "answers so far are kept, run again when there is credit"
        )
    message = error.body.get("message") if isinstance(error.body, dict) else None
    said = message if isinstance(message, str) else ""
    said = said.replace(os.environ.get(KEY, "").strip() or "\0", f"[{KEY}]")
    return InputError(
        f"expected {where} to take requests for model '{settings.model}' (params key label.openai.model), "
        f"found {describe(error)}{f': {one_line(said)}' if said else ''}"
    )
