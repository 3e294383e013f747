"""How fast to ask, and how long to wait before asking again."""

import asyncio
import random
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import NamedTuple

FIRST_WAIT = 0.5  # seconds
LONGEST_WAIT = 60.0  # seconds, between two attempts of our own
LONGEST_ASKED = 300.0  # seconds that a server may ask us to wait; more is for another day
SILENCE = 8.0  # seconds without an answer after which a line says what is waited for

SERIAL = 0.75  # of the time that one request after the other takes: from there on, a server answers hardly any at once
PROMPT = 1.0  # seconds within which an answer is fast, whatever came before
LONGEST_PAUSE = 64  # answers until one more is tried, at most


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


class Learned(NamedTuple):
    """What is known of a server's speed: the limit, a request's seconds alone, of how many measured, and the pause."""

    limit: int
    alone: float
    measured: int
    pause: int


class Concurrency:
    """How many requests may be in flight: begins with one, one more with every answer, fewer where that brings nothing.

    A server that answers one at a time takes n times as long for each of n requests in flight. So the time of a request
    that was alone is the measure: of the first two the shorter, since a server may load its model for the first, and then
    what the last took, weighted by a half. An answer that came after less than 0.75 n times as long, or within a second, lets one
    more be in flight, up to ``most``. A later one takes one away, a time-out takes half of them, and then a pause of 4
    answers, and 4 times as many with every time, up to 64, comes before one more is tried. Four in flight that are
    answered in good time end the pauses.

    Source: Chiu and Jain, Analysis of the Increase and Decrease Algorithms for Congestion Avoidance, 1989 (additive
    increase, multiplicative decrease); Brakmo and Peterson, TCP Vegas, 1995 (delay as the sign of congestion).
    """

    def __init__(self, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.limit, self.in_flight, self.lowered = 1, 0, False
        self._most, self._clock = most, clock
        self._alone = 0.0  # seconds that a request took that was alone; 0 while that is not known
        self._measured = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._pause, self._answers = 1, 0
        self._lowered_at = -1.0

    def learned(self) -> Learned:
        """Return what the next run of this process can begin with."""
        return Learned(self.limit, self._alone, self._measured, self._pause)

    def resume(self, learned: Learned) -> None:
        """Begin with what an earlier run learned."""
        limit, self._alone, self._measured, self._pause = learned
        self.limit = min(limit, self._most)

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Wait until one more request may be in flight; it is while the block runs."""
        while self.in_flight >= self.limit:
            turn = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            await turn
        self.in_flight += 1
        try:
            yield
        finally:
            self.in_flight -= 1
            self._call()

    def _call(self) -> None:
        """Have as many of those that wait look again as there are places, leaving out who has gone away."""
        places = self.limit - self.in_flight
        while places > 0 and self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                places -= 1

    def answered(self, started: float, together: int) -> None:
        """Take note of an answer to a request that started then, with so many in flight, itself included."""
        seconds = self._clock() - started
        if together == 1:
            self._measured += 1
            shorter = min(self._alone or seconds, seconds)
            self._alone = shorter if self._measured <= 2 else (self._alone + seconds) / 2
        if self._alone and together > 1 and seconds > max(PROMPT, SERIAL * together * self._alone):
            self._lower(started, self.limit - 1)
            return
        self._answers += 1
        if together >= 4:
            self._pause = 1
        if self.limit < self._most and self._answers >= self._pause and self._measured > 1:
            self._answers = 0
            self.limit += 1
            self._call()

    def timed_out(self, started: float) -> None:
        """Take note of a request without an answer in time."""
        self._lower(started, self.limit // 2)

    def _lower(self, started: float, limit: int) -> None:
        """Lower the limit, once for all requests that were in flight together."""
        if started <= self._lowered_at or self.limit == 1:
            return
        self.limit, self.lowered, self._lowered_at = max(1, limit), True, self._clock()
        self._pause, self._answers = min(LONGEST_PAUSE, 4 * self._pause), 0


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
