"""Have DVC write its own files beside themselves and rename them, so that a kill leaves the old or the new one.

DVC opens ``dvc.lock``, ``*.dvc`` and ``.dvc/tmp/rwlock`` for writing, which empties them first. It writes all of them by
one of two functions named ``open``; here both are replaced, in this process alone. A DVC without them goes on as it is,
and what a kill leaves of it is restored by :mod:`text2image.commands.pipeline.repairs`.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import IO, Any

DRAFTS = "drafts"
"""The folder in ``.dvc/tmp`` that files are written in. A name there ends in nothing that DVC reads."""


def is_state(path: Path) -> bool:
    """Return whether a file is one in which DVC keeps what it knows.

    >>> [is_state(Path(name)) for name in ("sample/dvc.lock", ".dvc/tmp/rwlock", "data/images.dvc", "data/catalog.csv")]
    [True, True, True, False]
    """
    return (
        path.name in ("dvc.lock", "dvc.yaml") or path.suffix == ".dvc" or path.parts[-2:] == ("tmp", "rwlock")
    )


@contextmanager
def replacing(path: Path, folder: Path, mode: str, encoding: str | None) -> Iterator[IO[Any]]:
    """Open a file for writing in ``folder``; it takes the place of ``path`` when the block ends well.

    DVC has a lock while it writes one of its files, so that no other process writes the same draft.
    """
    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / f"{path.name}.draft"
    with draft.open(mode, encoding=encoding) as file:
        yield file
    if path.exists():
        shutil.copymode(path, draft)
    draft.replace(path)


@contextmanager
def written_whole(temporary: Path) -> Iterator[None]:
    """Have DVC in this process write its files so while the block runs.

    Args:
        temporary: the project's ``.dvc/tmp``. Files that do not lie on its disk are written as DVC does it.
    """
    folder, disk = temporary / DRAFTS, temporary.stat().st_dev

    def opened(plain: Any, path: Any, mode: str = "r", encoding: str | None = None, **options: Any) -> Any:
        if isinstance(path, str | os.PathLike) and mode.startswith("w") and "b" not in mode:
            place = Path(os.path.realpath(path))
            if is_state(place) and place.parent.is_dir() and place.parent.stat().st_dev == disk:
                return replacing(place, folder, mode, encoding)
        return plain(path, mode=mode, encoding=encoding, **options)

    try:
        from dvc.utils.serialize import _common
        from dvc_objects.fs.local import FsspecLocalFileSystem

        method = FsspecLocalFileSystem.open
    except (ImportError, AttributeError):
        yield
        return

    def opened_by_system(system: Any, *arguments: Any, **options: Any) -> Any:
        return opened(partial(method, system), *arguments, **options)

    with (
        replaced(FsspecLocalFileSystem, "open", opened_by_system),
        replaced(_common, "open", partial(opened, open)),
    ):
        yield


@contextmanager
def replaced(owner: type | ModuleType, name: str, function: Callable[..., Any]) -> Iterator[None]:
    """Have a class or module hold ``function`` under a name while the block runs, and then what it held before, or nothing."""
    before = vars(owner).get(name)
    setattr(owner, name, function)
    try:
        yield
    finally:
        if before is None:
            delattr(owner, name)
        else:
            setattr(owner, name, before)
