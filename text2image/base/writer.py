"""Results on their way to the store, beside the computation."""

import threading
from collections.abc import Sequence
from itertools import chain
from typing import Self

from text2image.base.store import Item, Store


class Writer:
    """Puts results into a store in a thread of its own, so that who computes them does not wait for the disk.

    What comes while a transaction is under way makes the next one. A block ends when all is written, also where an
    error or Ctrl-C ends it. Only a kill loses results: those of ``ahead`` calls of :meth:`put` that have returned, at
    most, and of one that has not.
    """

    def __init__(self, store: Store, ahead: int = 1) -> None:
        """Take a store, and how many calls of :meth:`put` may return before their items are written.

        Raises:
            InputError: this user may not write to the store.
        """
        store.check_writable()
        self._space, self._ahead = store.space, ahead
        self._changed = threading.Condition()
        self._waiting: list[Sequence[Item]] = []
        self._unwritten, self._closed = 0, False
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._write, name="store", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *raised: object) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join()
        self._check()

    def put(self, items: Sequence[Item]) -> None:
        """Have items written, those of one call whole or not at all.

        Raises:
            InputError: the disk did not take these, or earlier ones.
        """
        with self._changed:
            self._check()
            self._waiting.append(items)
            self._unwritten += 1
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._unwritten <= self._ahead or self._error)
            self._check()

    def _check(self) -> None:
        if self._error is not None:
            raise self._error

    def _write(self) -> None:
        try:
            with Store(*self._space) as store:  # a connection belongs to the thread that made it
                while batches := self._take():
                    store.put(chain.from_iterable(batches))
                    with self._changed:
                        self._unwritten -= len(batches)
                        self._changed.notify_all()
        except BaseException as error:
            with self._changed:
                self._error = error
                self._changed.notify_all()

    def _take(self) -> list[Sequence[Item]]:
        """Return what waits, as soon as something does; nothing when all is written."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed)
            batches, self._waiting = self._waiting, []
            return batches
