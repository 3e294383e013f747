"""Asking about many images at once: concurrency, limits, retries and a budget, answers as they come."""

import asyncio
from collections import Counter
from collections.abc import Generator, Iterator, Mapping
from contextlib import suppress

import openai

from text2image.base.console import InputError, say
from text2image.base.settings import OpenaiRuntime
from text2image.collection.manifest import ImageFile
from text2image.labels.openai import service
from text2image.labels.openai.budget import Budget, Tokens, cost
from text2image.labels.openai.encode import Upload, upload
from text2image.labels.openai.pace import Pace, backoff
from text2image.labels.openai.schema import Question, read_completion, reported_usage
from text2image.labels.openai.settings import Settings
from text2image.labels.protocol.source import Answer, ImageAnswer

LOST_IN_A_ROW = 5  # images that got no answer, one after the other, before the run ends


class Stopped(Exception):
    """The run is ending: send nothing more."""


class Asker:
    """One run: its client, limits and counters. What the ``stored`` answers cost counts towards the budget."""

    def __init__(
        self, settings: Settings, runtime: OpenaiRuntime, stored: Mapping[str, Answer], question: Question
    ) -> None:
        self.settings, self.runtime, self.question = settings, runtime, question
        self._arrived: asyncio.Queue[ImageAnswer | None] = asyncio.Queue()
        self._client = openai.AsyncOpenAI(**service.client_options(settings, runtime.timeout))
        self._requests = Pace(runtime.requests_per_minute)
        self._minute_tokens = Pace(runtime.tokens_per_minute)
        self._tokens = Tokens(settings, stored.values())
        self._budget = Budget(settings, stored.values())
        self._stop = asyncio.Event()
        self._probe = asyncio.Lock()
        self._retries: Counter[str] = Counter()
        self._lost = self._lost_in_a_row = 0
        self._out_of_money = False

    def ask(self, images: Mapping[str, ImageFile]) -> Generator[ImageAnswer, None, None]:
        """Yield ``(key, answer)`` as answers arrive; ends early, with a line of why, at the budget.

        Images that stay without an answer after all retries get ``{"failure": …, "transient": True}``.
        What has arrived is yielded before an error ends the run.

        Args:
            images: by what their answers are stored under.

        Raises:
            InputError: the server refuses, several images in a row get no answer, or a file changed since the
                catalog was made, of which nothing is sent.
        """
        with asyncio.Runner() as runner:  # cancels whatever is in flight when the consumer goes away
            task = runner.get_loop().create_task(self._run(images))
            while (arrived := runner.run(self._arrived.get())) is not None:
                yield arrived
            self._report()
            runner.run(asyncio.wait([task]))
        task.result()

    def _report(self) -> None:
        """Say what the run met with, which no file records since it differs from run to run."""
        title, key = self.question.title, self.question.budget_key
        if self._retries:
            reasons = ", ".join(f"{count} × {what}" for what, count in sorted(self._retries.items()))
            say(f"{title}: had to ask again after {reasons}")
        if self._lost:
            say(f"{title}: {self._lost} images got no answer; {self.question.repeat}")
        if self._out_of_money:
            say(
                f"{title}: stopped before {key} {self.settings.budget_usd} would be exceeded, "
                f"{self._budget.spent:.6f} spent; raise it to go on"
            )

    async def _run(self, images: Mapping[str, ImageFile]) -> None:
        """Ask about all images; None follows the last answer that arrived."""
        queue = iter(images.items())
        count = min(self.runtime.concurrency, len(images))
        try:
            async with self._client:
                workers = [asyncio.create_task(self._work(queue)) for _ in range(count)]
                ended = await asyncio.gather(*workers, return_exceptions=True)
        finally:
            self._arrived.put_nowait(None)
        for error in ended:
            if isinstance(error, BaseException):
                raise error

    async def _work(self, queue: Iterator[tuple[str, ImageFile]]) -> None:
        """Ask about one image after the other until none is left or the run stops."""
        with suppress(Stopped):
            for key, image in queue:
                try:
                    answer = await self._answer(key, image)
                except BaseException:
                    self._stop.set()
                    raise
                self._arrived.put_nowait((key, answer))
                self._watch(answer)

    def _watch(self, answer: Answer) -> None:
        """End the run when nothing comes back any more."""
        lost = bool(answer.get("transient"))
        self._lost += lost
        self._lost_in_a_row = self._lost_in_a_row + 1 if lost else 0
        if self._lost_in_a_row >= LOST_IN_A_ROW:
            self._stop.set()
            raise InputError(
                f"expected answers from {self.settings.address} (params key label.openai.base_url), found "
                f"{answer['failure']} for {LOST_IN_A_ROW} images in a row; answers so far are kept, run again later"
            )

    async def _answer(self, key: str, image: ImageFile) -> Answer:
        """Return the answer for one image, or what kept it from coming."""
        if self._stop.is_set():
            raise Stopped
        sent = await asyncio.to_thread(upload, key, image, self.settings.max_side)
        if self._budget.limit is not None:
            async with self._probe:  # until one answer shows what the model takes, one at a time
                if not self._tokens.known:
                    return await self._persist(sent)
        return await self._persist(sent)

    async def _persist(self, sent: Upload) -> Answer:
        """Ask until there is an answer, at most ``runtime.openai.max_retries`` times more."""
        for attempt in range(self.runtime.max_retries + 1):
            try:
                return await self._attempt(sent)
            except openai.APIError as error:
                why, asked = service.describe(error), service.wait_to_retry(error, self.settings)
            self._retries[why] += 1
            self._requests.hold(asked)
            if attempt < self.runtime.max_retries:
                await self._sleep(max(asked, backoff(attempt)))
        attempts = self.runtime.max_retries + 1
        return {"failure": f"no answer after {attempts} attempts ({why})", "transient": True}

    async def _attempt(self, sent: Upload) -> Answer:
        """Send one request within the limits and settle its price."""
        expected = self._tokens.estimate(sent.width, sent.height), self.settings.max_tokens
        worst = cost(self.settings, expected, batch=False)
        if not await self._budget.promise(worst):
            self._out_of_money = self._out_of_money or not self._stop.is_set()
            self._stop.set()
            raise Stopped
        charged = 0.0
        try:
            booked = sum(expected)
            await self._sleep(max(self._requests.wait_for(1), self._minute_tokens.wait_for(booked)))
            charged = worst  # from here on it may be, even if the answer gets lost
            body = await service.complete(self._client, self.question.body(sent))
            used = reported_usage(body) or expected
            charged = cost(self.settings, used, batch=False)
            self._minute_tokens.correct(sum(used) - booked)
            self._tokens.learn(sent.width, sent.height, used[0])
        except openai.APIError as error:
            charged = worst if service.may_be_charged(error) else 0.0
            raise
        finally:
            self._budget.settle(worst, charged)
        usage = {"input_tokens": used[0], "output_tokens": used[1]}
        return read_completion(body, self.question.form) | {"usage": usage}

    async def _sleep(self, seconds: float) -> None:
        """Wait, but no longer than the run goes on."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), seconds)
        if self._stop.is_set():
            raise Stopped
