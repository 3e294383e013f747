"""Make DVC's own files sound before it runs: what a kill left of them, of a machine that lost power, of an editor.

DVC refuses to run with a ``dvc.lock``, a ``*.dvc`` file or a ``.dvc/tmp/rwlock`` that it cannot read. The first two say what
was made from what, and all of that is in DVC's cache, too: an older copy, or none at all, costs no computation, as DVC
finds the stages that it misses in its run cache. Copies of sound files are kept in ``.dvc/tmp/copies``.
"""

import json
import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from text2image.base.console import InputError, say
from text2image.base.processes import running_stages
from text2image.lockfile.reading import read_defined

if TYPE_CHECKING:
    from dvc.lock import LockBase

COPIES = "copies"
CLOCK = 2.0
"""Seconds by which a process must be younger than the file: clocks of systems are that coarse."""

DEEPEST = 100
"""Lists and mappings in each other, of which DVC writes ten; DVC's parser ends the process at tens of thousands."""

CONFLICT = b"<<<<<<< "

UNFINISHED = re.compile(r".*\.[A-Za-z0-9_-]{22}\.tmp")
"""Names of the files that DVC copies into and then renames (``dvc_objects.fs.utils.tmp_fname``)."""


def repair(root: Path) -> None:
    """Make all of DVC's own files of a project sound, and keep copies of them, unless another DVC is at work there.

    Raises:
        InputError: one cannot be repaired without losing something, or the system does not let one be read or written.
    """
    from dvc.lock import LockError

    with _allowed(root):
        (root / ".dvc" / "tmp").mkdir(exist_ok=True)
    with (
        _allowed(root),
        suppress(LockError),
        dvc_lock(root, "lock"),
    ):  # another may just be writing; DVC will wait for it, or say so
        restore(root)
        mend_rwlock(root)
        mend_run_cache(root)
        remove_unfinished(root)
        keep_copies(root)


@contextmanager
def _allowed(root: Path) -> Iterator[None]:
    try:
        yield
    except (PermissionError, FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise InputError(
            f"expected files of DVC in {root} that this user may read and write, and no others in their place, found: {error}; "
            "allow it, or move it away, and run this again"
        ) from None


def metafiles(root: Path) -> list[Path]:
    """Return the ``dvc.lock`` and ``*.dvc`` files of a project, relative to ``root``: those that git tracks or would track."""
    patterns = ("dvc.lock", "*/dvc.lock", "*.dvc")
    listed = _git(root, "ls-files", "-z", "-co", "--exclude-standard", "--", *patterns)
    if listed is None:  # no repository of git
        names = [path.relative_to(root).as_posix() for pattern in patterns for path in root.glob(pattern)]
    else:
        names = [os.fsdecode(name) for name in listed.split(b"\0") if name]
    return sorted({Path(name) for name in names if (root / name).is_file()})


def _git(root: Path, *arguments: str) -> bytes | None:
    try:
        done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, check=False)  # noqa: S603, S607
    except OSError:
        return None
    return done.stdout if done.returncode == 0 else None


def is_sound(path: Path, content: bytes) -> bool:
    """Return whether DVC can read what a ``dvc.lock`` or a ``*.dvc`` file holds, and wrote it to its end, a line's."""
    from dvc.dvcfile import Lockfile, SingleStageFile
    from dvc.utils.serialize import loads_yaml

    kind = Lockfile if path.name == "dvc.lock" else SingleStageFile
    try:
        text = content.decode("utf-8")
        if _is_deep(text):
            return False
        held = kind.validate(loads_yaml(text))
    except (
        Exception
    ):  # besides its own errors, the parser raises whatever Python raises of a broken number, date or key
        return False
    entries = [entry for part in ("deps", "outs") for entry in held.get(part) or ()]  # of a *.dvc file
    return content.endswith(b"\n") and all(entry.get("path") for entry in entries)


def _is_deep(text: str) -> bool:
    """Return whether lists and mappings of a YAML text are nested deeper than any of DVC's, without making them."""
    from ruamel.yaml import YAML
    from ruamel.yaml.events import CollectionEndEvent, CollectionStartEvent

    depth = 0
    for event in YAML(typ="safe").parse(text):
        depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
        if depth > DEEPEST:
            return True
    return False


def keep_copies(root: Path) -> None:
    """Keep a copy of each file that is sound, for :func:`restore`."""
    for path in metafiles(root):
        content, copy = (root / path).read_bytes(), _copy_of(root, path)
        if (not copy.is_file() or copy.read_bytes() != content) and is_sound(path, content):
            copy.parent.mkdir(parents=True, exist_ok=True)
            _replace(copy, content)


def _copy_of(root: Path, path: Path) -> Path:
    return root / ".dvc" / "tmp" / COPIES / f"{path}.copy"  # a name that DVC reads nowhere


def restore(root: Path) -> None:
    """Replace each file that DVC cannot read by its last sound copy, or git's; a ``dvc.lock`` without either is removed.

    Raises:
        InputError: git left the marks of a conflict in one, or there is no copy of a ``*.dvc`` file.
    """
    for path in metafiles(root):
        content = (root / path).read_bytes()
        if is_sound(path, content) and not _lacks_its_end(root, path, content):
            continue
        if CONFLICT in content:
            raise InputError(
                f"expected {path} as DVC writes it, found the marks of a conflict in it; "
                f"`git checkout --ours {path}` takes one side, and `t2i repro` finds what it lacks in DVC's cache"
            )
        found = next(_candidates(root, path), None)
        if found is None and path.name != "dvc.lock":
            raise InputError(
                f"expected {path} as DVC writes it, found that it was not written to its end, and no copy of it; "
                f"remove it and run `dvc add {path.with_suffix('')}`"
            )
        aside = _copy_of(root, path).with_suffix(".broken")
        aside.parent.mkdir(parents=True, exist_ok=True)
        aside.write_bytes(content)
        if found is not None:
            _replace((root / path).resolve(), found[1])  # of a link, what it leads to
        else:
            (root / path).unlink()
        say(
            f"{path} was not written to its end (it is {aside.relative_to(root)} now); "
            + (
                f"{found[0]} takes its place"
                if found
                else "without a copy of it, DVC's cache tells what stages made"
            )
        )


def _lacks_its_end(root: Path, path: Path, content: bytes) -> bool:
    """Return whether a sound ``dvc.lock`` was cut off at the end of a line, as one in which DVC's buffer ended there.

    DVC adds stages at the end and takes none away: its stages are then the first of those of a copy. One that is as git has
    it, as after a change of branches, was not cut off.
    """
    if path.name != "dvc.lock" or content == _git(root, "show", f"HEAD:./{path.as_posix()}"):
        return False
    known = [copy for _, copy in _candidates(root, path) if copy != content]
    stages = _stages(content) if known else []
    return any(len(stages) < len(names) and names[: len(stages)] == stages for names in map(_stages, known))


def _stages(lock: bytes) -> list[str]:
    from dvc.utils.serialize import loads_yaml

    return list(loads_yaml(lock.decode("utf-8")).get("stages") or ())


def _candidates(root: Path, path: Path) -> Iterator[tuple[str, bytes]]:
    copy = _copy_of(root, path)
    if copy.is_file() and is_sound(path, content := copy.read_bytes()):
        yield "the copy of the last run", content
    committed = _git(root, "show", f"HEAD:./{path.as_posix()}")
    if committed is not None and is_sound(path, committed):
        yield "that of the last commit", committed


def _replace(path: Path, content: bytes) -> None:
    draft = path.with_name(f".{path.name}.draft")
    draft.write_bytes(content)
    draft.replace(path)


def mend_run_cache(root: Path) -> None:
    """Remove empty folders from DVC's run cache, over which it stumbles: a kill leaves one before its entry is written."""
    for folder in (cache_folder(root) / "runs").glob("*/*"):
        with suppress(OSError):  # a file, or not empty
            folder.rmdir()


def remove_unfinished(root: Path) -> None:
    """Remove what DVC was copying beside the outputs of stages when it was killed: stages depend on whole folders of these."""
    defined = read_defined(lambda path: root / path if (root / path).is_file() else None)
    for folder in {
        (root / out).parent for stage in (defined[0] if defined else {}).values() for out in stage.outs
    }:
        for path in folder.glob("*.tmp"):
            if UNFINISHED.fullmatch(path.name):
                path.unlink(missing_ok=True)


def cache_folder(root: Path) -> Path:
    """Return where DVC's cache of a project is, as DVC's configuration says."""
    from dvc.config import Config

    said = Config(str(root / ".dvc")).get("cache", {}).get("dir")
    return root / ".dvc" / Path(said or "cache")


def mend_rwlock(root: Path) -> None:
    """Make ``.dvc/tmp/rwlock`` one that DVC accepts: it says which processes read and write which paths.

    One that cannot be read is removed, unless a stage runs, for which it said something. Of one that can
    be, processes are forgotten that began after it was written: another process has the number of one that was killed.

    Raises:
        InputError: it cannot be read, and a stage runs.
    """
    path = root / ".dvc" / "tmp" / "rwlock"
    if path.is_file():
        with dvc_lock(root, "rwlock.lock"):
            _mend(path, running_stages(root))


def dvc_lock(root: Path, name: str) -> "LockBase":
    """Return a lock of DVC in ``.dvc/tmp``, to be held in a block: ``lock`` of the project, ``rwlock.lock``.

    The block raises DVC's ``LockError`` where another process holds it for some seconds.
    """
    from dvc.config import Config
    from dvc.lock import make_lock

    folder = root / ".dvc" / "tmp"
    links = Config(str(root / ".dvc"))["core"].get("hardlink_lock", False)
    return make_lock(str(folder / name), str(folder), hardlink_lock=links)


def _mend(path: Path, running: list[str]) -> None:
    held = _read(path)
    if held is None:
        if running:
            raise InputError(
                "expected .dvc/tmp/rwlock as DVC writes it, found that it was not written to its end, while the stage "
                f"{running[0]} runs here; wait for its end and run this again"
            )
        say(".dvc/tmp/rwlock was not written to its end; it is removed, as no stage runs here")
        path.unlink()
        return
    written = path.stat().st_mtime
    readers = {
        name: [one for one in all_ if not _is_another(one, written)] for name, all_ in held["read"].items()
    }
    writers = {name: one for name, one in held["write"].items() if not _is_another(one, written)}
    kept = {"write": writers, "read": {name: left for name, left in readers.items() if left}}
    if kept != held:
        _replace(path, json.dumps(kept).encode())


def _is_another(holder: Mapping[str, Any], written: float) -> bool:
    """Return whether the process that has the number of a holder began after the file was written, or none can have it."""
    if not 0 < holder["pid"] < 2**31:
        return True
    try:
        began: float = psutil.Process(holder["pid"]).create_time()
    except psutil.Error:
        return False  # DVC forgets processes that are gone
    return began > written + CLOCK


def _read(path: Path) -> dict[str, dict[str, Any]] | None:
    """Return what an rwlock holds, as DVC reads it; None if it cannot."""
    from dvc.rwlock import SCHEMA
    from voluptuous import Invalid

    try:
        held = SCHEMA(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, Invalid, RecursionError):
        return None
    return {kind: dict(held.get(kind, {})) for kind in ("write", "read")}
