"""Pictures that were sent to be searched for: in memory, and only the last ones."""

from __future__ import annotations

import secrets
from collections import OrderedDict

KEPT = 8


class Uploads:
    """The last pictures that were sent, by names that nobody can guess."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, bytes] = OrderedDict()

    def keep(self, content: bytes) -> str:
        """Return the name under which a picture is kept for a while."""
        name = secrets.token_urlsafe(16)
        self._kept[name] = content
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return name

    def get(self, name: str) -> bytes | None:
        """Return a picture; None if it is gone."""
        return self._kept.get(name)
