"""What was sent and has no answer in the store: written down before it is sent, and counted at its worst price.

A request that is under way when a run is killed, or whose answer is lost on its way, may have been charged. Its line
stays in the ledger, and every later run counts it towards the budget, until its answer is stored or the server has
turned it away.
"""

import json
import os
import uuid
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, Self

from text2image.base.console import InputError
from text2image.base.store import cache_root, fingerprint
from text2image.formats.files import write_text
from text2image.labels.openai.budget import cost
from text2image.labels.openai.settings import Settings

KEPT_CHARACTERS = 2**18  # of what came back and was no completion


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

    def __init__(self, kind: str, determinants: Any) -> None:
        """Read the ledger of the space of a store that is named by these."""
        self.path: Path = cache_root() / kind / f"{fingerprint(determinants)}.sent.jsonl"
        self._open: dict[str, Sent] = dict(_read(self.path))
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

    def cost(self, settings: Settings, keys: Collection[str]) -> float:
        """Return what the requests for some ``keys`` cost in USD at most, at today's prices."""
        sent = self.unanswered(keys)
        return sum(cost(settings, (one.input_tokens, one.output_tokens), batch=False) for one in sent)

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
