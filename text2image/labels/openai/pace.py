"""How fast to ask, and how long to wait before asking again."""

import random
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

FIRST_WAIT = 0.5  # seconds
LONGEST_WAIT = 60.0  # seconds, between two attempts of our own
LONGEST_ASKED = 300.0  # seconds that a server may ask us to wait; more is for another day


class Pace:
    """Spreads amounts evenly so that at most ``per_minute`` pass in a minute; None for no limit."""

    def __init__(self, per_minute: int | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds_each = 60.0 / per_minute if per_minute else 0.0
        self._clock = clock
        self._free = 0.0  # when the next amount may start

    def wait_for(self, amount: float) -> float:
        """Book ``amount`` and return in how many seconds it may start."""
        now = self._clock()
        start = max(now, self._free)
        self._free = start + amount * self._seconds_each
        return start - now

    def correct(self, amount: float) -> None:
        """Add ``amount`` (may be negative) to what was booked, once the true figure is known."""
        self._free += amount * self._seconds_each

    def hold(self, seconds: float) -> None:
        """Let nothing start for some seconds."""
        self._free = max(self._free, self._clock() + seconds)


def retry_after(headers: Mapping[str, str]) -> float:
    """Return the seconds that ``Retry-After`` asks for, given as seconds or as an HTTP date; 0 if it asks for none.

    Source: RFC 9110, section 10.2.3.
    """
    value = headers.get("retry-after", "").strip()
    with suppress(ValueError):
        return max(0.0, float(value))
    with suppress(ValueError):
        when = parsedate_to_datetime(value)
        when = when if when.tzinfo else when.replace(tzinfo=UTC)
        return max(0.0, (when - datetime.now(UTC)).total_seconds())
    return 0.0


def backoff(attempt: int) -> float:
    """Return a wait in seconds: between 0 and 0.5 s doubled with every attempt (from 0), at most 60 s.

    Source: Brooker, Exponential Backoff And Jitter, 2015 ("full jitter").
    """
    return random.uniform(0.0, min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(attempt, 16)))  # noqa: S311
