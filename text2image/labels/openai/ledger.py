"""What was sent and has no answer in the store: written down before it is sent, and counted at its worst price.

A request that is under way when a run is killed, or whose answer is lost on its way, may have been charged. Its line
stays in the ledger, and every later run counts it towards the budget, until its answer is stored or the server has
turned it away. So does an answer that the store has set aside since it was damaged.

What came and could not be taken for an answer stays there, too, and :func:`reread` has a later reader try it.
"""

import json
import os
import re
import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, Self

from text2image.base.console import InputError
from text2image.base.store import Store
from text2image.formats.files import write_text
from text2image.labels.openai.budget import Tokens, cost, with_earlier
from text2image.labels.openai.schema import Question, is_unread, read_again, read_reply
from text2image.labels.openai.settings import Settings
from text2image.labels.protocol.answers import whole_answer
from text2image.labels.protocol.source import Answer, ImageAnswer

KEPT_CHARACTERS = 2**18  # of what came back and was no completion
USAGE = re.compile(rb'"input_tokens": (\d{1,9}), "output_tokens": (\d{1,9})')
"""The tokens of a request, as they are stored, in what is left of a damaged answer."""


class Sent(NamedTuple):
    """A request without a stored answer.

    Attributes:
        key: what its answer would be stored under.
        input_tokens, output_tokens: that it may have taken at most.
        raw: what came back, if anything did that could not be taken for an answer.
    """

    key: str
    input_tokens: int
    output_tokens: int
    raw: str | None = None


class Ledger:
    """The requests of one space of answers that have none, in a file of JSON lines beside the space's own.

    Reading needs no lock; whoever writes holds that of the space.
    """

    def __init__(self, store: Store) -> None:
        """Read the ledger of a space, and what the space has set aside as damaged so far.

        Raises:
            InputError: the file may not be read.
        """
        self.path: Path = store.path.with_suffix(".sent.jsonl")
        self._damaged = [(key, _tokens_in(value)) for key, value in store.damaged()]
        try:
            self._open: dict[str, Sent] = dict(_read(self.path))
        except OSError as error:
            raise InputError(
                f"expected a file at {self.path} that says what was sent and has no answer yet, found: "
                f"{error.strerror or error}; allow it to be read (`chmod`, `chown`) and run the same command again"
            ) from None
        self._file: int | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def send(self, key: str, tokens: tuple[int, int]) -> str:
        """Write down that a request is about to be sent, which may take so many tokens; return its name here.

        Raises:
            InputError: the disk does not take it; then nothing may be sent.
        """
        name = uuid.uuid4().hex
        self._write(name, Sent(key, *tokens))
        return name

    def keep(self, name: str, raw: str) -> None:
        """Keep what came back for a request, since it may have been paid for although it is no answer."""
        self._write(name, self._open[name]._replace(raw=raw[:KEPT_CHARACTERS]))

    def settle(self, name: str) -> None:
        """Strike out a request whose answer is stored, or that was not charged."""
        self._write(name, None)

    def reconcile(self, names: Iterable[str]) -> None:
        """Strike out requests whose answers are stored, although a kill came between the one and the other."""
        for name in set(names) & self._open.keys():
            self.settle(name)

    def unanswered(self, keys: Collection[str]) -> list[Sent]:
        """Return the requests for some ``keys``."""
        return [sent for sent in self._open.values() if sent.key in keys]

    def replies(self, keys: Collection[str]) -> list[tuple[str, Sent]]:
        """Return the names and requests for some ``keys`` for which something came."""
        return [item for item in self._open.items() if item[1].key in keys and item[1].raw is not None]

    def cost(self, settings: Settings, keys: Collection[str]) -> float:
        """Return what the requests for some ``keys`` cost in USD at most, at today's prices.

        A damaged answer counts as what can still be read of its usage, and as one request at its worst price at least.
        """
        worst = Tokens(settings, ()).estimate(settings.max_side, settings.max_side)
        least = cost(settings, worst, batch=False)
        damaged = [cost(settings, tokens, batch=False) for key, tokens in self._damaged if key in keys]
        sent = [(one.input_tokens, one.output_tokens) for one in self.unanswered(keys)]
        lost = [cost(settings, tokens, batch=False) for tokens in sent]
        return sum(lost) + sum(max(least, one) for one in damaged)

    def _write(self, name: str, sent: Sent | None) -> None:
        try:
            if self._file is None:
                write_text(self.path, "".join(_line(*item) for item in self._open.items()))
                self._file = os.open(self.path, os.O_WRONLY | os.O_APPEND)
            line = _line(name, sent).encode()
            if os.write(self._file, line) < len(line):  # in one call, which no kill divides
                raise OSError("there was no room for a whole line")
        except OSError as error:
            raise InputError(
                f"expected a disk that takes what is written to {self.path} before anything is sent, found: {error}; "
                "make room or allow it, and run the same command to go on: what was written before is kept"
            ) from None
        if sent is None:
            del self._open[name]
        else:
            self._open[name] = sent


def reread(
    store: Store, ledger: Ledger, stored: Mapping[str, Answer], keys: Collection[str], question: Question
) -> Iterator[ImageAnswer]:
    """Yield ``(key, answer)`` of what came in earlier runs and only this reader can read; nothing is asked.

    It may stand in the store, where no answer was found in a completion, or in the ledger, where a reply was not taken for
    a completion. An answer is to be stored before the next is taken.

    Args:
        stored: the stored answers for ``keys``.
        question: that was asked.
    """
    with ledger:
        ledger.reconcile(answer["request"] for answer in stored.values() if "request" in answer)
        for key in [key for key, answer in stored.items() if is_unread(answer)]:
            yield key, read_again(whole_answer(store, key, stored[key]), question)
        for name, sent in ledger.replies(keys):
            earlier = dict(store.get_json([sent.key])).get(sent.key)
            if earlier is None or "failure" in earlier:
                answer = read_reply(str(sent.raw), question, (sent.input_tokens, sent.output_tokens))
                if answer is not None:
                    yield sent.key, with_earlier(answer | {"request": name}, earlier)
                    ledger.settle(name)  # it is stored by now


def _tokens_in(value: bytes) -> tuple[int, int]:
    """Return the input and output tokens of all requests that can be read in what is left of an answer."""
    pairs = USAGE.findall(value)
    return sum(int(sent) for sent, _ in pairs), sum(int(received) for _, received in pairs)


def _line(name: str, sent: Sent | None) -> str:
    return f"\n{json.dumps([name, sent])}\n"  # what a full disk left of a line before ends there


def _read(path: Path) -> Iterator[tuple[str, Sent]]:
    """Yield what is open in a file; what is no line of a ledger was never sent."""
    entries: dict[str, Sent] = {}
    with suppress(FileNotFoundError):
        for line in path.read_text(encoding="utf-8", errors="replace").split("\n"):
            with suppress(ValueError, TypeError, RecursionError):
                name, sent = json.loads(line)
                if sent is None:
                    entries.pop(name, None)
                    continue
                one = Sent(*sent)
                if type(one.input_tokens) is int and type(one.output_tokens) is int:
                    entries[str(name)] = one
    yield from entries.items()
