"""Asking in batches, at half the price and within a day: submit, wait, collect, over any number of runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import Any

from openai.types import Batch

from text2image.base.console import InputError, one_line, say
from text2image.base.settings import OpenaiRuntime
from text2image.collection.manifest import ImageFile
from text2image.labels.openai.batch_files import read_results, write_batch
from text2image.labels.openai.batch_service import BatchService
from text2image.labels.openai.budget import Answer, Budget, Tokens, answer_cost, cost, usages
from text2image.labels.openai.pending import Pending, PendingBatches
from text2image.labels.openai.schema import address
from text2image.labels.openai.settings import Settings

Outcome = tuple[str, dict[str, Any]]


def ask_in_batches(
    images: Sequence[ImageFile],
    kept: Mapping[str, Answer],
    settings: Settings,
    runtime: OpenaiRuntime,
    pending: PendingBatches,
) -> Generator[Outcome, None, None]:
    """Yield ``(image_id, answer)`` for all images, waiting for batches as long as they take.

    Batches of earlier runs are collected, never submitted again. The rest is submitted as far as the
    budget goes at its worst price, in as many rounds as it takes to use it up; what expired or failed
    in passing is submitted again, ``runtime.openai.max_retries`` times at most.

    Raises:
        InputError: the service refuses, a batch was cancelled, or a whole round brought no answer.
    """
    run = BatchRun(kept, settings, runtime, pending)
    todo = {image.image_id: image for image in images}
    tries: Counter[str] = Counter()
    run.recover()
    while True:
        waiting = pending.images()
        run.submit([image for image in todo.values() if image.image_id not in waiting])
        if not pending.entries():
            break
        answered, run.trouble = run.answered, ""
        for entry in pending.entries():
            for image_id, answer in run.collect(entry):
                tries[image_id] += 1
                if not answer.get("passing") or tries[image_id] > runtime.max_retries:
                    todo.pop(image_id, None)
                    yield image_id, answer
            pending.forget(entry)  # what it brought is stored by now
        if run.trouble and (run.cancelled or run.answered == answered):
            raise InputError(f"expected answers in a batch from {address(settings)}, found {run.trouble}")
    if todo:
        say(
            f"label openai: stopped before label.openai.budget_usd {settings.budget_usd} would be exceeded, "
            f"{run.budget.spent:.6f} spent, {len(todo)} images not asked; raise it to go on"
        )


class BatchRun:
    """The budget, the open batches and the troubles of one run."""

    def __init__(
        self,
        kept: Mapping[str, Answer],
        settings: Settings,
        runtime: OpenaiRuntime,
        pending: PendingBatches,
    ) -> None:
        self.settings, self.pending, self.kept = settings, pending, kept
        self.service = BatchService(settings, runtime)
        self.budget = Budget(settings.budget_usd, sum(answer_cost(settings, a) for a in kept.values()))
        self.answered = 0
        self.trouble = ""
        self.cancelled = False
        self._tokens = Tokens(settings, kept.values())
        self._promised: dict[str, float] = {}

    def recover(self) -> None:
        """Find out about batches that were being created when a run was killed; promise what is open."""
        unsure = [entry for entry in self.pending.entries() if entry.batch_id is None]
        ids = self.service.find([entry.tag for entry in unsure]) if unsure else {}
        for entry in unsure:
            if entry.tag in ids:
                self.pending.keep(entry._replace(batch_id=ids[entry.tag]))
            else:
                self.pending.forget(entry)
        each = cost(self.settings, self._worst_tokens(), batch=True)
        for entry in self.pending.entries():
            self._promise(entry, each * len(entry.images))

    def submit(self, images: Sequence[ImageFile]) -> None:
        """Submit batches of as many of ``images``, from the first, as the budget allows."""
        rest = list(images)
        while rest:
            batch = write_batch(rest, self.settings, self._tokens, self.budget.fits)
            with batch.file:
                if not batch.images:
                    return
                file_id = self.service.upload(batch.file)
            entry = self.pending.intend(batch.images)
            self._promise(entry, batch.worst)
            batch_id = self._create(entry, file_id)
            self.pending.keep(entry._replace(batch_id=batch_id))
            say(f"label openai: {len(batch.images)} images submitted as batch {one_line(batch_id)}")
            rest = rest[len(batch.images) :]

    def _create(self, entry: Pending, file_id: str) -> str:
        """Create a batch; what the service refused for sure is not remembered."""
        try:
            return self.service.create(entry.tag, file_id)
        except InputError:
            if not self.service.find([entry.tag]):
                self.pending.forget(entry)
            raise

    def collect(self, entry: Pending) -> Iterator[Outcome]:
        """Wait for a batch to end, and yield its answers but for those that are stored already."""
        batch = self.service.wait(str(entry.batch_id))
        answers = read_results(self.service.lines(batch), entry.images, entry.tag, self._worst_tokens())
        answered = [answer for answer in answers.values() if "usage" in answer]
        self.answered += len(answered)
        for answer in answered:
            self._tokens.learn(
                self.settings.max_side, self.settings.max_side, answer["usage"]["input_tokens"]
            )
        stored = {image for image, answer in self.kept.items() if came_in(answer, entry.tag)}
        spent = sum(answer_cost(self.settings, answers[image]) for image in answers.keys() - stored)
        self.budget.settle(self._promised.pop(entry.tag), spent)
        rejected = [a["failure"] for a in answers.values() if "usage" not in a and not a.get("passing")]
        taken = bool(self.answered or self.kept)  # a service that takes none rejects the form, not the image
        self._note(batch, rejected if not taken else [])
        for image_id, answer in answers.items():
            if image_id not in stored and (taken or answer.get("passing")):
                yield image_id, answer

    def _note(self, batch: Batch, rejected: Sequence[str]) -> None:
        """Remember what was wrong with a whole batch, if anything."""
        self.cancelled = self.cancelled or batch.status == "cancelled"
        if batch.status in ("cancelled", "failed") or rejected:
            errors = (batch.errors.data if batch.errors else None) or []
            said = [error.message for error in errors if error.message] or rejected or ["no reason given"]
            self.trouble = f"batch {one_line(batch.id)} {batch.status}: {one_line(said[0])}"

    def _promise(self, entry: Pending, amount: float) -> None:
        self._promised[entry.tag] = amount
        self.budget.promised += amount

    def _worst_tokens(self) -> tuple[int, int]:
        side = self.settings.max_side
        return self._tokens.estimate(side, side), self.settings.max_tokens


def came_in(answer: Answer, tag: str) -> bool:
    """Say whether an answer, or an earlier one for its image, came in the batch with this tag."""
    return any(usage.get("batch") == tag for usage in usages(answer))
