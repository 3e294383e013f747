"""Asking in batches, at half the price and within a day: submit, wait, collect, over any number of runs."""

import uuid
from collections import Counter
from collections.abc import Collection, Generator, Iterable, Iterator, Mapping, Set
from itertools import islice

from text2image.base.console import InputError, one_line, say
from text2image.base.settings import OpenaiRuntime
from text2image.collection.manifest import ImageFile
from text2image.labels.openai.batches.files import MISSING, UNREADABLE, read_results, write_batch
from text2image.labels.openai.batches.pending import Pending, PendingBatches
from text2image.labels.openai.batches.service import Batch, BatchService
from text2image.labels.openai.budget import Budget, Tokens, answer_cost, cost, usages
from text2image.labels.openai.dialect import Dialect, Dialects, advice
from text2image.labels.openai.ledger import Ledger
from text2image.labels.openai.reasons import QUOTED_CHARACTERS, hide_key
from text2image.labels.openai.schema import texts_question
from text2image.labels.openai.settings import Settings
from text2image.labels.protocol.source import Answer, ImageAnswer

REFUSED = ("cancelled", "failed")  # ends of a batch as a whole


class BatchRun:
    """The budget, the open batches and the troubles of one run."""

    def __init__(
        self,
        settings: Settings,
        runtime: OpenaiRuntime,
        stored: Mapping[str, Answer],
        pending: PendingBatches,
        ledger: Ledger,
    ) -> None:
        """Take the answers that are stored, the batches that are open, and the requests whose answers were lost."""
        self.settings, self.runtime, self.stored, self.pending = settings, runtime, stored, pending
        self.service = BatchService(settings, runtime)
        self.budget = Budget(settings, stored.values())
        self.ledger = ledger
        self.dialects = Dialects(settings, runtime)
        self._first = self.dialects.now
        self._put: dict[str, Dialect] = {}
        self.answered = 0
        self._tokens = Tokens(settings, stored.values())
        self._promised: dict[str, float] = {}

    def ask(self, images: Mapping[str, ImageFile]) -> Generator[ImageAnswer, None, None]:
        """Yield ``(key, answer)`` for all images, given by key, waiting for batches as long as they take.

        Batches of earlier runs are collected, never submitted again. The rest is submitted as far as the
        budget goes at its worst price, in as many rounds as it takes to use it up; what expired or failed
        for a moment is submitted again, ``runtime.openai.max_retries`` times at most.

        Raises:
            InputError: the service refuses, a batch was cancelled, or a whole round brought no answer.
        """
        todo = dict(images)
        self.budget.spent += self.ledger.cost(self.settings, self.stored.keys() | images.keys())
        attempts: Counter[str] = Counter()
        with self.service, self.ledger:
            self.recover()
            while self.submit(todo):
                for key, answer in self.collect():
                    attempts[key] += 1
                    if not answer.get("transient") or attempts[key] > self.runtime.max_retries:
                        todo.pop(key, None)
                        yield key, answer
        if todo:
            say(
                f"label openai: stopped before label.openai.budget_usd {self.settings.budget_usd} would be exceeded, "
                f"{self.budget.spent:.6f} spent, {len(todo)} images not asked; raise it to go on"
            )

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
            self._promised[entry.tag] = each * len(entry.keys)
        self.budget.promised = sum(self._promised.values())

    def submit(self, images: Mapping[str, ImageFile]) -> bool:
        """Submit batches of the ``images`` that wait in none, as far as the budget allows.

        Returns:
            Whether any batch is open now.
        """
        waiting = self.pending.keys()
        rest = {key: image for key, image in images.items() if key not in waiting}
        while rest:
            batch = write_batch(rest, self.settings, self.dialects.now, self._tokens, self.budget.fits)
            with batch.file:
                if not batch.keys:
                    break
                file_id = self.service.upload(batch.file)
            entry = Pending(uuid.uuid4().hex, batch.keys)
            self.pending.keep(entry)
            self._promised[entry.tag], self._put[entry.tag] = batch.worst, self.dialects.now
            self.budget.promised += batch.worst
            batch_id = self._create(entry, file_id)
            self.pending.keep(entry._replace(batch_id=batch_id))
            say(f"label openai: {len(batch.keys)} images submitted as batch {one_line(batch_id)}")
            rest = dict(islice(rest.items(), len(batch.keys), None))
        return bool(self.pending.entries())

    def _create(self, entry: Pending, file_id: str) -> str:
        """Create a batch; what the service refused for sure is not remembered."""
        try:
            return self.service.create(entry.tag, file_id)
        except InputError:
            if not self.service.find([entry.tag]):
                self.pending.forget(entry)
            raise

    def collect(self) -> Iterator[ImageAnswer]:
        """Wait for all open batches, and yield their answers but for those that are stored already.

        Raises:
            InputError: a batch was cancelled, or something was wrong and no answer came.
        """
        answered, cancelled, trouble = self.answered, False, ""
        for entry in self.pending.entries():
            batch = self.service.wait(str(entry.batch_id))
            question = texts_question(self.settings)
            lines = self.service.lines(batch)
            answers = read_results(lines, entry.keys, entry.tag, question, self._worst_tokens())
            known = {key for key, answer in self.stored.items() if came_in(answer, entry.tag)}
            self._settle(entry, answers, known, batch.status)
            if self._falls_back(entry, batch, answers.values()):
                self.pending.forget(entry)
                continue
            # A service that takes none rejects the form, not the image:
            taken = bool(self.answered or self.stored)
            trouble = what_went_wrong(batch, [] if taken else answers.values()) or trouble
            cancelled = cancelled or batch.status == "cancelled"
            for key, answer in answers.items():
                if key not in known and (taken or answer.get("transient")):
                    yield key, answer
            self.pending.forget(entry)  # what it brought is stored by now
        if trouble and (cancelled or self.answered == answered):
            raise InputError(f"expected answers in a batch from {self.settings.address}, found {trouble}")

    def _falls_back(self, entry: Pending, batch: Batch, answers: Collection[Answer]) -> bool:
        """Tell whether a batch is to be submitted again, put in another way, since the service took none of it in this one.

        A batch of an earlier run counts as put in the first way.
        """
        if batch.status == "cancelled" or any("usage" in answer for answer in answers):
            return False
        used, now = self._put.get(entry.tag, self._first), self.dialects.now
        for why in what_was_refused(batch, answers):
            if (change := self.dialects.fall_back(used, why)) is not None:
                if self.dialects.now != now:
                    said = one_line(hide_key(why), QUOTED_CHARACTERS)
                    say(f"label openai: {self.settings.address} does not take {change} ({said}){advice(why)}")
                return True
        return False

    def _settle(self, entry: Pending, answers: Mapping[str, Answer], known: Set[str], status: str) -> None:
        """Learn from the answers of a batch, and replace what was promised for it by what it cost."""
        side = self.settings.max_side
        usage = [answer["usage"] for answer in answers.values() if "usage" in answer]
        self.answered += len(usage)
        for used in usage:
            self._tokens.learn(side, side, used)
        spent = sum(answer_cost(self.settings, answers[key]) for key in answers.keys() - known)
        for key in answers.keys() - known:
            failure = answers[key].get("failure")
            may_be_paid = failure == UNREADABLE or (failure == MISSING and status == "completed")
            if may_be_paid:
                worst = self._worst_tokens()
                name = self.ledger.send(key, worst)
                if failure == UNREADABLE:
                    self.ledger.keep(name, answers[key].pop("raw"))
                spent += cost(self.settings, worst, batch=False)
        self.budget.settle(self._promised.pop(entry.tag), spent)

    def _worst_tokens(self) -> tuple[int, int]:
        side = self.settings.max_side
        return self._tokens.estimate(side, side)


def came_in(answer: Answer, tag: str) -> bool:
    """Say whether an answer, or an earlier one for its image, came in the batch with this tag."""
    return any(usage.get("batch") == tag for usage in usages(answer))


def what_went_wrong(batch: Batch, answers: Iterable[Answer]) -> str:
    """Return what was wrong with a whole batch, or with all of the ``answers``, in a few words; "" if nothing."""
    refused = what_was_refused(batch, answers)
    if not refused and batch.status not in REFUSED:
        return ""
    why = refused[0] if refused else "no reason given"
    return f"batch {one_line(batch.id)} {batch.status}: {one_line(hide_key(why))}{advice(why)}"


def what_was_refused(batch: Batch, answers: Iterable[Answer]) -> list[str]:
    """Return what the service said against a whole batch, or against single requests of it, each once."""
    errors = (batch.errors.data if batch.errors and batch.status in REFUSED else None) or []
    rejected = [a["failure"] for a in answers if "usage" not in a and not a.get("transient")]
    return list(dict.fromkeys([error.message for error in errors if error.message] + rejected))
