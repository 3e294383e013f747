"""Asking about many images at once: concurrency, limits, retries and a budget, answers as they come."""

import asyncio
import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import suppress
from typing import NamedTuple

import openai

from text2image.base.console import say
from text2image.base.settings import OpenaiRuntime
from text2image.collection.manifest import ImageFile
from text2image.labels.openai import service
from text2image.labels.openai.budget import Budget, Tokens, cost
from text2image.labels.openai.dialect import Dialect, Dialects
from text2image.labels.openai.encode import Upload, upload
from text2image.labels.openai.ledger import Ledger
from text2image.labels.openai.pace import SILENCE, Concurrency, Learned, Pace, backoff
from text2image.labels.openai.reasons import describe, is_timeout, may_be_charged, reason
from text2image.labels.openai.schema import Question, kept_answer, usage_of
from text2image.labels.openai.settings import Settings
from text2image.labels.protocol.source import Answer, ImageAnswer

LEARNED: dict[tuple[str, str], tuple[Dialect, Learned]] = {}
"""By address and model: how requests are put and how many are in flight, for later runs of this process, such as the
queries of a search page."""


class Stopped(Exception):
    """The run is ending: send nothing more."""


class Failed(Exception):
    """A request that got no answer, and how it was put."""

    def __init__(self, error: openai.APIError, dialect: Dialect) -> None:
        super().__init__(str(error))
        self.error, self.dialect = error, dialect


class Arrived(NamedTuple):
    """An answer for an image, and under which name its request stands in the ledger until it is stored."""

    key: str
    answer: Answer
    sent: str | None = None


class Asker:
    """One run: its client, limits and counters.

    What the ``stored`` answers cost counts towards the budget, and so does what the ledger holds for the same keys and
    those of the images that are asked about.
    """

    def __init__(
        self,
        settings: Settings,
        runtime: OpenaiRuntime,
        stored: Mapping[str, Answer],
        question: Question,
        ledger: Ledger,
    ) -> None:
        self.settings, self.runtime, self.question = settings, runtime, question
        self._stored, self._ledger = stored, ledger
        self._arrived: asyncio.Queue[Arrived | None] = asyncio.Queue()
        self._client = service.client(settings, runtime.timeout)
        self._dialects = Dialects(settings, runtime)
        self._concurrency = Concurrency(runtime.concurrency)
        self._requests = Pace(runtime.requests_per_minute)
        self._minute_tokens = Pace(runtime.tokens_per_minute)
        self._tokens = Tokens(settings, stored.values())
        self._budget = Budget(settings, stored.values())
        self._stop = asyncio.Event()
        self._resume()
        self._troubles = service.Troubles(settings)
        self._out_of_money = self._said_lowered = False
        self._heard = time.monotonic()

    def _resume(self) -> None:
        """Begin with what an earlier run of this process learned of the server.

        With a budget, one request at a time is in flight until an answer has shown what the model takes.
        """
        if learned := LEARNED.get((self.settings.address, self.settings.model)):
            self._dialects.resume(learned[0])
            if self._budget.limit is None or self._tokens.known:
                self._concurrency.resume(learned[1])

    def ask(self, images: Mapping[str, ImageFile]) -> Generator[ImageAnswer, None, None]:
        """Yield ``(key, answer)`` as answers arrive; ends early, with a line of why, at the budget.

        Images that stay without an answer after all retries get ``{"failure": …, "transient": True}``.
        What has arrived is yielded before an error ends the run. An answer is to be stored before the next is taken.

        Args:
            images: by what their answers are stored under.

        Raises:
            InputError: the server refuses, several images in a row get no answer, or a file changed since the
                catalog was made, of which nothing is sent.
        """
        lost = self._ledger.cost(self.settings, self._stored.keys() | images.keys())
        self._budget.spent += lost
        if lost:
            say(
                f"{self.question.title}: requests whose answers were lost, by a kill, on their way or by damage, count as "
                f"{lost:.6f} USD, the most that they may have cost"
            )
        with (
            self._ledger,
            asyncio.Runner() as runner,
        ):  # which cancels what is in flight when nobody takes answers
            task = runner.get_loop().create_task(self._run(images))
            while (arrived := runner.run(self._arrived.get())) is not None:
                yield arrived.key, arrived.answer
                if arrived.sent is not None:  # it is stored by now
                    self._ledger.settle(arrived.sent)
            self._report()
            runner.run(asyncio.wait([task]))
        task.result()

    def _report(self) -> None:
        """Say what the run met with, which no file records since it differs from run to run; remember what it learned."""
        if self._troubles.answers:
            learned = self._dialects.now, self._concurrency.learned()
            LEARNED[self.settings.address, self.settings.model] = learned
        title, key = self.question.title, self.question.budget_key
        if met := self._troubles.summary():
            say(f"{title}: had to ask again after {met}")
        if lost := self._troubles.lost:
            say(f"{title}: {lost} images got no answer; {self.question.repeat}")
        if self._out_of_money:
            say(
                f"{title}: stopped before {key} {self.settings.budget_usd} would be exceeded, "
                f"{self._budget.spent:.6f} spent; raise it to go on"
            )

    async def _run(self, images: Mapping[str, ImageFile]) -> None:
        """Ask about all images; None follows the last answer that arrived."""
        queue = iter(images.items())
        count = min(self.runtime.concurrency, len(images))
        watch = asyncio.create_task(self._say_what_is_waited_for())
        try:
            async with self._client:
                workers = [asyncio.create_task(self._work(queue)) for _ in range(count)]
                ended = await asyncio.gather(*workers, return_exceptions=True)
        finally:
            watch.cancel()
            self._arrived.put_nowait(None)
        for error in ended:
            if isinstance(error, BaseException):
                raise error

    async def _say_what_is_waited_for(self) -> None:
        """Say a line where no answer has come for ``SILENCE``, and again each time that it has lasted twice as long."""
        wait, since = SILENCE, self._heard
        while True:
            await asyncio.sleep(SILENCE / 8)
            if self._heard > since:
                wait, since = SILENCE, self._heard
            if time.monotonic() - since >= wait:
                wait *= 2
                which = "an" if self._troubles.answers else "the first"
                met = f"; last met with {last}" if (last := self._troubles.last) else ""
                in_flight = self._concurrency.in_flight
                say(
                    f"{self.question.title}: waiting for {which} answer of {self.settings.address} "
                    f"({in_flight} in flight, for {self.runtime.timeout:g} s each at most{met})"
                )

    async def _work(self, queue: Iterator[tuple[str, ImageFile]]) -> None:
        """Ask about one image after the other until none is left or the run stops."""
        with suppress(Stopped):
            for key, image in queue:
                try:
                    arrived = await self._answer(key, image)
                    self._arrived.put_nowait(arrived)
                    if arrived.answer.get("transient"):
                        self._troubles.count_lost(arrived.answer["failure"])
                except BaseException:
                    self._stop.set()
                    raise

    async def _answer(self, key: str, image: ImageFile) -> Arrived:
        """Return the answer for one image, or what kept it from coming ``runtime.openai.max_retries`` times and once."""
        if self._stop.is_set():
            raise Stopped
        sent = await asyncio.to_thread(upload, key, image, self.settings.max_side)
        attempt, why = 0, ""
        while attempt <= self.runtime.max_retries:
            try:
                return await self._attempt(sent)
            except Failed as failed:
                if self._falls_back(failed):
                    continue
                why, asked = describe(failed.error), self._troubles.count(failed.error)
            self._requests.hold(asked)
            if attempt < self.runtime.max_retries:
                await self._sleep(max(asked, backoff(attempt)))
            attempt += 1
        return Arrived(key, {"failure": f"no answer after {attempt} attempts ({why})", "transient": True})

    def _falls_back(self, failed: Failed) -> bool:
        """Tell whether the request is to be put in another way, since the server does not take this one."""
        why = reason(failed.error)
        change = self._dialects.fall_back(failed.dialect, why) if why else None
        if change:
            say(f"{self.question.title}: {self.settings.address} does not take {change} ({why})")
        return change is not None

    async def _attempt(self, sent: Upload) -> Arrived:
        """Send one request as soon as it may be, within all limits.

        Raises:
            Failed: it got no answer.
            Stopped: the run is ending.
        """
        async with self._concurrency.place():
            if self._stop.is_set():
                raise Stopped
            expected = self._tokens.estimate(sent.width, sent.height)
            worst = cost(self.settings, expected, batch=False)
            if not await self._budget.promise(worst):
                self._out_of_money = self._out_of_money or not self._stop.is_set()
                self._stop.set()
                raise Stopped
            charged = 0.0
            try:
                await self._sleep(
                    max(self._requests.wait_for(1), self._minute_tokens.wait_for(sum(expected)))
                )
                charged = worst  # from here on it may be, even if the answer gets lost
                arrived = await self._send(sent, expected)
                usage = arrived.answer["usage"]
                charged = cost(self.settings, (usage["input_tokens"], usage["output_tokens"]), batch=False)
                return arrived
            except Failed as failed:
                charged = worst if may_be_charged(failed.error) else 0.0
                raise
            finally:
                self._budget.settle(worst, charged)

    async def _send(self, sent: Upload, expected: tuple[int, int]) -> Arrived:
        """Send one request, which is written down before, and return its answer as it is stored."""
        dialect, concurrency = self._dialects.now, self._concurrency
        name = self._ledger.send(sent.key, expected)
        started, together = time.monotonic(), concurrency.in_flight
        try:
            body = dialect.put(self.question.body(sent))
            completion = await service.complete(self._client, body, self.runtime.timeout)
        except openai.APIError as error:
            if not may_be_charged(error):
                self._ledger.settle(name)
            elif isinstance(error, service.UnreadableAnswer):
                self._ledger.keep(name, error.raw)
            if is_timeout(error):
                concurrency.timed_out(started)
                self._say_if_lowered()
            raise Failed(error, dialect) from error
        concurrency.answered(started, together)
        self._say_if_lowered()
        self._troubles.count_answer()
        self._heard = time.monotonic()
        usage = usage_of(completion.body, self.question.prompt, expected)
        self._minute_tokens.correct(usage["input_tokens"] + usage["output_tokens"] - sum(expected))
        self._tokens.learn(sent.width, sent.height, usage)
        answer = kept_answer(completion.body, completion.raw, self.question, usage)
        return Arrived(sent.key, answer | {"request": name}, name)

    def _say_if_lowered(self) -> None:
        """Say once that the server is asked for less at once."""
        if self._concurrency.lowered and not self._said_lowered:
            self._said_lowered = True
            say(
                f"{self.question.title}: {self.settings.address} takes the longer, the more it is asked at once: "
                f"{self._concurrency.limit} in flight now, more as soon as that brings something"
            )

    async def _sleep(self, seconds: float) -> None:
        """Wait, but no longer than the run goes on."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), seconds)
        if self._stop.is_set():
            raise Stopped
