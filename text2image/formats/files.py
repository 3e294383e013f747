"""Atomic writes: a file is written in full or not at all. And JSON whose figures another machine writes the same."""

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import psutil

METRIC_DIGITS = 6

DRAFT = re.compile(r"\..*-(\d+)-[a-z0-9_]{8}(\.[^-]*)?")
"""Names of temporary files, see :func:`draft_prefix`: the number of the process, and eight characters of ``tempfile``."""


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` that takes its place when the block ends well.

    When the block raises, nothing is left behind and an older ``path`` stays as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=draft_prefix(path.stem), suffix=path.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o644)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def draft_prefix(name: str) -> str:
    """Return how the name of a temporary file or folder begins that will be called ``name``: it tells the process."""
    return f".{name}-{os.getpid()}-"


def remove_drafts(folder: Path) -> None:
    """Remove what :func:`atomic_write` and the like left in a folder when their processes were killed."""
    for path in folder.glob(".*-*-*"):
        if DRAFT.fullmatch(path.name) and not _in_work(path):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write ``text`` as UTF-8 with the line ends it has."""
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="")


def write_json(path: Path, value: Any, digits: int = METRIC_DIGITS) -> None:
    """Write ``value`` as indented JSON, floats rounded to ``digits`` decimals."""
    write_text(path, json.dumps(rounded(value, digits), indent=2, ensure_ascii=False) + "\n")


def rounded(value: Any, digits: int = METRIC_DIGITS) -> Any:
    """Return a copy of nested dicts and lists with all floats rounded to ``digits`` decimals."""
    if isinstance(value, dict):
        return {key: rounded(item, digits) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(item, digits) for item in value]
    if isinstance(value, float | np.floating):
        return round(float(value), digits)
    return int(value) if isinstance(value, np.integer) else value


def write_array(path: Path, array: npt.NDArray[Any]) -> None:
    """Write ``array`` in NumPy's format, without pickling."""
    with atomic_write(path) as temporary, temporary.open("wb") as file:
        np.save(file, array, allow_pickle=False)


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


_DIGESTS: dict[tuple[str, int, int, int, int, int], str] = {}


def sha256_once(path: Path) -> str:
    """Return the SHA-256 of a file's bytes in hex, of a file that did not change from memory.

    So files of gigabytes can be compared before and after they are loaded at the cost of reading them once. A file counts
    as changed when its device, inode, size, time of modification or time of change (which no program sets) do.
    """
    about = path.stat()
    key = (
        str(path.absolute()),
        about.st_dev,
        about.st_ino,
        about.st_size,
        about.st_mtime_ns,
        about.st_ctime_ns,
    )
    if key not in _DIGESTS:
        _DIGESTS[key] = sha256(path)
    return _DIGESTS[key]


def keep_only(folder: Path, files: Iterable[Path]) -> None:
    """Remove every file and link below ``folder`` that is not among ``files``, and empty folders.

    A folder that is not there is left so, and so is what another process is about to write atomically.
    """
    kept = set(files)
    for path in sorted(folder.rglob("*"), reverse=True):  # files before the folders that hold them
        if path.is_dir() and not path.is_symlink():
            if not any(path.iterdir()):
                path.rmdir()
        elif path not in kept and not _in_work(path):
            path.unlink(missing_ok=True)


def _in_work(path: Path) -> bool:
    """Say whether a file is the temporary one of an :func:`atomic_write` in a process that is still alive."""
    process = DRAFT.fullmatch(path.name)
    return process is not None and psutil.pid_exists(int(process[1]))
