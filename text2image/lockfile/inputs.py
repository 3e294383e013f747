"""What a stage reads must be the same when it ends as when it began: DVC looks at it only afterwards.

DVC hashes a stage's dependencies and notes its parameters when the stage has ended. What changed meanwhile would be recorded as
if the stage had read it, and no later `dvc repro` would run it again.
"""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from text2image.base.console import InputError, one_line
from text2image.lockfile.reading import ABSENT, ERRORS, PARAMS, Stage, read_defined, read_yaml, value_of

HASHED_BYTES = 1 << 20
"""Files up to this size are compared by content, so that one may be written again as it was."""

SHOWN = 3
"""Changes that are said; the rest is counted."""

State = tuple[int, int, int] | bytes | None
"""What is remembered of a file: size in bytes, time of change in nanoseconds and inode, or the SHA-256 of a small one."""


class Inputs:
    """What dvc.yaml declares that a stage reads: parameters as they were on construction, files by :meth:`begin`.

    Without a dvc.yaml that says so, as where a stage is tried by hand, nothing is compared.
    """

    def __init__(self, stage: str, root: Path) -> None:
        self._name, self._root = stage, root
        read = read_defined(lambda path: root / path if (root / path).is_file() else None)
        self._stage: Stage | None = None
        if read is not None:
            defined, params = read
            self._stage = defined.get(stage)
            self._images = _image_folder(params[PARAMS], root)
            self._params = params
        self._files: dict[str, State] = {}

    def begin(self) -> None:
        """Remember the files, before the stage reads one."""
        self._files = dict(self._scan())

    def check(self) -> None:
        """Refuse to end well where parameters or files are not what they were.

        Raises:
            InputError: they are not; says which.
        """
        if changes := [*self._changed_params(), *self._changed_files()]:
            more = [f"{len(changes) - SHOWN} more"] if len(changes) > SHOWN else []
            raise InputError(
                f"expected what {self._name} reads to stay as it is while it runs, found changes: "
                f"{', '.join([*changes[:SHOWN], *more])}. What it wrote is not recorded, as it would be taken for the "
                "result of the new; run `dvc repro` again: what was computed is in the store"
            )

    def _changed_params(self) -> Iterator[str]:
        if self._stage is None:
            return
        for file, keys in self._stage.params.items():
            try:
                params = read_yaml(self._root / file)
            except ERRORS:
                params = None
            for key in keys:
                before, now = value_of(self._params[file], key), value_of(params, key)
                for leaf, old, new in _differing(key, before, now):
                    yield f"params key {leaf} of {file} ({_said(old)} before, {_said(new)} now)"

    def _changed_files(self) -> Iterator[str]:
        now = dict(self._scan())
        for name in sorted(self._files.keys() | now.keys()):
            if name not in now:
                yield f"{one_line(name)} is gone"
            elif name not in self._files:
                yield f"{one_line(name)} is new"
            elif self._files[name] != now[name]:
                yield f"{one_line(name)} is another"

    def _scan(self) -> Iterator[tuple[str, State]]:
        if self._stage is not None:
            for dep in (*self._stage.deps, *self._stage.code):
                if dep != self._images:
                    for path in _files(self._root / dep):
                        yield os.path.relpath(path, self._root), _state(path)


def _image_folder(params: Any, root: Path) -> str | None:
    """Return the folder of images, which is large: its one reader, the stage ``catalog``, compares it itself."""
    images = value_of(params, "data.images")
    return images if isinstance(images, str) and (root / images).is_dir() else None


def _files(path: Path) -> Iterator[str]:
    """Yield a file, or the files in a folder as DVC sees them; those that begin with a dot are being written."""
    if path.is_file():
        yield str(path)
    for folder, folders, names in os.walk(path, followlinks=True):
        folders[:] = sorted(name for name in folders if name != "__pycache__" and not name.startswith("."))
        yield from (os.path.join(folder, name) for name in sorted(names) if not name.startswith("."))  # noqa: PTH118


def _state(path: str) -> State:
    try:
        found = os.stat(path)  # noqa: PTH116
        if found.st_size > HASHED_BYTES:
            return found.st_size, found.st_mtime_ns, found.st_ino
        return hashlib.sha256(Path(path).read_bytes()).digest()
    except OSError:  # a broken link, or gone since the folder was listed
        return None


def _differing(key: str, old: Any, new: Any) -> Iterator[tuple[str, Any, Any]]:
    """Yield the keys below ``key`` whose values differ, with both."""
    if isinstance(old, dict) and isinstance(new, dict):
        for name in old | new:
            yield from _differing(f"{key}.{name}", old.get(name, ABSENT), new.get(name, ABSENT))
    elif old != new:
        yield key, old, new


def _said(value: Any) -> str:
    return "none" if value is ABSENT else one_line(repr(value), 40)
