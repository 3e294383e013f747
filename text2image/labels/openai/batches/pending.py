"""The batches that were submitted and not yet collected, remembered across kills.

An entry is written *before* its batch is created, with a tag that goes into the batch's metadata: a
run that was killed in between finds the batch at the service by its tag, and none is submitted twice.
"""

import json
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import TypeAdapter, ValidationError

from text2image.base.console import InputError, one_line
from text2image.base.store import cache_root, fingerprint
from text2image.formats.files import write_text


class Pending(NamedTuple):
    """A batch, and what its answers are stored under; ``batch_id`` is None until the service is known to have taken it."""

    tag: str
    keys: tuple[str, ...]
    batch_id: str | None = None


ENTRIES = TypeAdapter(list[Pending])


class PendingBatches:
    """The open batches of one space of answers, in one JSON file under .cache/labels/openai-batches."""

    def __init__(self, determinants: Any) -> None:
        """Read what is open.

        Raises:
            InputError: the file is damaged, or may not be read.
        """
        self.path: Path = cache_root() / "labels" / "openai-batches" / f"{fingerprint(determinants)}.json"
        try:
            content = self.path.read_bytes() if self.path.exists() else b"[]"
            self._open = {entry.tag: entry for entry in ENTRIES.validate_json(content)}
        except (OSError, ValidationError) as error:
            found = one_line(str(error).partition("\n")[0])
            raise InputError(
                f"expected the batches that were submitted and not collected yet in {self.path}, found: {found}; put a copy of "
                "it there; without one, wait a day until they have ended, and move it away: they are paid for, and are "
                "submitted anew"
            ) from None

    def entries(self) -> list[Pending]:
        """Return the open batches, oldest first."""
        return list(self._open.values())

    def keys(self) -> set[str]:
        """Return what all answers are stored under that wait in an open batch."""
        return {key for entry in self._open.values() for key in entry.keys}

    def keep(self, entry: Pending) -> None:
        """Remember an entry, in place of what was known under its tag."""
        self._open[entry.tag] = entry
        self._write()

    def forget(self, entry: Pending) -> None:
        """Close a batch whose answers are stored, or that the service never took."""
        del self._open[entry.tag]
        self._write()

    def _write(self) -> None:
        write_text(self.path, json.dumps(self.entries()))
