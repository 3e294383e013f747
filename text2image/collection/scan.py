"""Which files lie below a location, and by what it is seen, without reading them, that they changed."""

import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from text2image.base.console import InputError, one_line
from text2image.collection.locations import KEY, PIN, Location, Pin, Remote, open_url, read_pin, reason

CONTENT = ("ETag", "etag", "md5Hash", "content_md5", "Content-MD5", "crc32c", "sha", "checksum")
TIME = ("LastModified", "last_modified", "Last-Modified", "updated", "mtime", "modified", "created")
"""Names under which file systems say what tells that a file's content is the same, and when it changed."""


class ListedFile(NamedTuple):
    """A file below a location.

    Attributes:
        path: POSIX, relative to the location.
        obstacle: why it cannot be read; None if it may be.
        stamp: the same as long as the file is the same, as far as can be told without reading it; None
            where nothing can be told.
        changed: when the file changed, in seconds since 1970, if the stamp stands on time; else None.
    """

    path: str
    obstacle: str | None = None
    stamp: str | None = None
    changed: float | None = None


def scan(root: Location) -> list[ListedFile]:
    """Return every file below a location, in an order that follows from the names alone.

    Links to files are followed; links to folders are listed but not followed, so that no cycle is
    walked; folders that cannot be listed are named.

    Raises:
        InputError: it is not a folder, or cannot be listed.
    """
    if isinstance(root, Remote):
        return list(_scan_remote(root))
    if not root.is_dir():
        raise InputError(
            f"expected a folder of images at {one_line(root)} ({KEY}), found "
            + ("a file" if root.exists() else "no such folder")
        )
    return list(_scan_folder(str(root)))


def _scan_folder(root: str) -> Iterator[ListedFile]:
    problems: list[ListedFile] = []

    def relative(full: str) -> str:
        """Return a path as text that can be written as UTF-8, whatever bytes the file system holds."""
        path = full[len(root) :].lstrip(os.sep).replace(os.sep, "/")
        return os.fsencode(path).decode("utf-8", errors="backslashreplace")

    def unreadable(error: OSError) -> None:
        problems.append(ListedFile(relative(str(error.filename)), "unreadable folder"))

    for folder, subfolders, names in os.walk(root, followlinks=False, onerror=unreadable):
        subfolders.sort()
        linked = {name for name in subfolders if Path(folder, name).is_symlink()}
        for name in sorted([*names, *linked]):
            full = f"{folder}{os.sep}{name}"  # paths are slow where there are many files
            yield _list_file(full, relative(full), name in linked)
    yield from problems


def _list_file(full: str, path: str, linked_folder: bool) -> ListedFile:
    """Say why a directory entry cannot be read as a file, or what tells that it is the same as before.

    The stamp is size, time of change and inode, by which DVC too tells whether a file changed.
    """
    if linked_folder:
        return ListedFile(path, "link to a folder (not followed)")
    try:
        full.encode("utf-8")
        status = Path(full).stat()
    except UnicodeEncodeError:
        return ListedFile(path, "file name is not Unicode")
    except PermissionError as error:
        return ListedFile(path, f"unreadable ({error.strerror})")
    except OSError:
        broken = Path(full).is_symlink()
        return ListedFile(path, "broken or circular link" if broken else "not a regular file")
    if not stat.S_ISREG(status.st_mode):
        return ListedFile(path, "not a regular file")
    stamp = f"{status.st_size} {status.st_mtime_ns} {status.st_ino}"
    return ListedFile(path, None, stamp, status.st_mtime_ns / 1e9)


def _scan_remote(remote: Remote) -> Iterator[ListedFile]:
    system, root = open_url(remote.url)
    try:
        system.invalidate_cache()
        infos = system.find(root, detail=True)
    except Exception as error:
        raise InputError(f"expected images at {one_line(remote)} ({KEY}), found: {reason(error)}") from None
    for name in sorted(infos):
        path = name[len(root) :].lstrip("/")
        if path and not path.endswith("/"):  # objects that stand for folders
            yield ListedFile(path, None, *_remote_stamp(infos[name]))


def _remote_stamp(info: dict[str, Any]) -> tuple[str | None, float | None]:
    """Return stamp and time of change, from what a file system lists of a file."""
    for key in CONTENT:
        if info.get(key):
            return f"{info.get('size')} {info[key]}", None
    times = (info[key] for key in TIME if info.get(key) is not None)
    if (changed := next(times, None)) is None:
        return None, None
    if hasattr(changed, "timestamp"):
        changed = changed.timestamp()
    return f"{info.get('size')} {changed}", float(changed) if isinstance(changed, int | float) else None


def check_unchanged(root: Location, files: Iterable[ListedFile]) -> None:
    """Refuse a folder that changed since it was scanned.

    DVC notes the state of a folder when the stage that reads it has ended. A file that was replaced while the
    stage ran would count as read, and no later `dvc repro` would look at it again. Behind URLs, pins tell.

    Args:
        files: what :func:`scan` saw.

    Raises:
        InputError: files came, went or changed.
    """
    if isinstance(root, Remote):
        return
    then, now = ({file.path: file for file in listed} for listed in (files, scan(root)))
    changed = sorted(path for path in then.keys() | now.keys() if then.get(path) != now.get(path))
    if changed:
        raise InputError(
            f"expected the files in {one_line(root)} ({KEY}) to stay as they are while they are read, found that "
            f"{len(changed)} changed, such as {one_line(changed[0])}; run `dvc repro` again when nothing writes there"
        )


def pin_of(url: str, files: Iterable[ListedFile]) -> Pin:
    """Return the pin of a URL below which these files lie."""
    lines = [f"{file.path}\t{file.stamp}\n" for file in files]
    return Pin(url, len(lines), hashlib.sha256("".join(lines).encode("utf-8")).hexdigest())


def check_pin(images: str, files: Iterable[ListedFile]) -> None:
    """Refuse images behind a pinned URL that are not those that were pinned.

    Args:
        images: ``data.images``; where it is no pin, there is nothing to check.
        files: what lies at its location now.

    Raises:
        InputError: they are others.
    """
    if not images.endswith(PIN):
        return
    then = read_pin(Path(images))
    now = pin_of(then.url, files)
    if now.state != then.state:
        raise InputError(
            f"expected the {then.files} files at {one_line(then.url)} as {images} has them ({KEY}), "
            f"found {now.files} files, some of them others; run `t2i catalog --pin`"
        )
