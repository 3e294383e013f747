"""What the catalog says of files: read with all cores, and remembered for files that did not change.

What is remembered is keyed by the folder and by all that determines what is said of a file's bytes; it is no
part of the result. A file whose stamp (see :class:`text2image.collection.scan.ListedFile`) is the remembered one
is not read again. As git does, a file is trusted only if it had been left alone for a while when it was looked
at: it could otherwise change once more under the same time.
"""

import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import imagehash
from PIL import Image

from text2image.base.console import InputError, one_line, progress
from text2image.base.memory import keep_freed_memory
from text2image.base.parallel import in_threads
from text2image.base.processes import begin_worker
from text2image.base.store import Store
from text2image.collection.images import (
    DECODING,
    Unreadable,
    UnusableImage,
    image_format,
    image_id,
    read_bytes,
    render,
)
from text2image.collection.locations import Location, Remote
from text2image.collection.rendering import is_blank
from text2image.collection.scan import ListedFile

FACTS = 9  # version of what is said of decoded pixels and of reasons to reject; raise it with every change
GRANULE = 2.0  # seconds: the coarsest time stamp of a file system in use (FAT)
HASHED_SIDE = 160  # pixels; longer sides are averaged first: the hashes look at 32 and 64 pixels a side
FEW = 512  # files that are not worth the start of processes
KEPT_BYTES = 1 << 28
"""Of freed memory, for the pixels of the next image."""
CHUNK = 16  # files that a process is given at a time
REMOTE_THREADS = 16  # reading over a network is waiting
KEPT_AT_ONCE = 512  # files that a killed run may have to read again

Item = TypeVar("Item")
Made = TypeVar("Made")


class Facts(NamedTuple):
    """What the bytes of an image say; ``blank`` says whether it has one colour (:func:`text2image.collection.rendering.is_blank`).

    ``phash`` and ``phash256`` are perceptual hashes of its upright RGB pixels, of 64 and of 256 bits, in hexadecimal;
    ``rendering`` names how the pixels were made (:class:`text2image.collection.rendering.Rendered`).
    """

    image_id: str
    width: int
    height: int
    format: str
    bytes: int
    phash: str
    rendering: str
    blank: bool
    phash256: str


Verdict = Facts | str
"""What is known of a file: an image's facts, or the reason why it is not usable."""


class ReadFile(NamedTuple):
    """A file that was read; ``lasting`` says whether its bytes alone led to the verdict."""

    path: str
    verdict: Verdict
    lasting: bool


def determinants(root: Location, max_pixels: int) -> dict[str, Any]:
    """Return all that determines what is said of a path and a stamp."""
    return {
        "images": str(root.resolve() if isinstance(root, Path) else root),
        "max_pixels": max_pixels,
        "decoding": DECODING,
        "facts": FACTS,
        "packages": {name: version(name) for name in ("imagehash", "numpy", "pillow", "scipy")},
    }


def read_file(root: Location, max_pixels: int, item: tuple[str, Verdict | None]) -> ReadFile:
    """Read, hash and decode one file.

    Args:
        item: its path, and what is known of it: bytes with the hash of known facts are not decoded.
    """
    path, known = item
    try:
        content = read_bytes(root / path)
        key = image_id(content)
        if isinstance(known, Facts) and key == known.image_id:
            return ReadFile(path, known, True)
        (image, rendering), kind = render(content, max_pixels), image_format(content)
    except UnusableImage as error:
        return ReadFile(path, str(error), not isinstance(error, Unreadable))
    phash, blank, phash256 = looks(image)
    facts = Facts(key, image.width, image.height, kind, len(content), phash, rendering, blank, phash256)
    return ReadFile(path, facts, True)


def looks(image: Image.Image) -> tuple[str, bool, str]:
    """Return an RGB image's ``phash``, ``blank`` and ``phash256``, see :class:`Facts`."""
    gray = image.convert("L")
    small = gray.reduce((max(1, gray.width // HASHED_SIDE), max(1, gray.height // HASHED_SIDE)))
    return str(imagehash.phash(small)), is_blank(image), str(imagehash.phash(small, hash_size=16))


def read_files(root: Location, max_pixels: int, known: Mapping[str, Verdict | None]) -> Iterator[ReadFile]:
    """Read the files that ``known`` names, in its order, with all cores.

    Processes do it in half the time of threads, since much of the work on a small image holds the
    interpreter's lock.

    Raises:
        InputError: a process was killed, or the network failed.
    """
    one = partial(read_file, root, max_pixels)
    if isinstance(root, Remote) or len(known) < FEW:
        yield from in_threads(one, known.items(), REMOTE_THREADS if isinstance(root, Remote) else None)
        return
    yield from in_processes(one, known.items(), CHUNK)


def in_processes(work: Callable[[Item], Made], items: Iterable[Item], at_a_time: int = 1) -> Iterator[Made]:
    """Yield what ``work`` makes of each item, in order, by as many processes as there are cores.

    Args:
        work: what reads images; a function that can be pickled.
        at_a_time: so many items are given to a process at once.

    Raises:
        InputError: a process was killed.
    """
    try:
        with ProcessPoolExecutor(os.cpu_count(), initializer=begin_to_read) as pool:
            yield from pool.map(work, items, chunksize=at_a_time)
    except BrokenProcessPool:
        raise InputError(
            "a process that read images was killed, probably for want of memory; "
            "lower catalog.max_pixels in params.yaml"
        ) from None


def begin_to_read() -> None:
    """Begin a process that reads images."""
    begin_worker()
    keep_freed_memory(KEPT_BYTES)


def verdicts(
    root: Location, files: Sequence[ListedFile], max_pixels: int, store: Store | None = None
) -> dict[str, Verdict]:
    """Return what is known of every file of a scan that was made just now.

    Args:
        max_pixels: larger images are not usable.
        store: what is remembered of earlier runs and for later ones; None reads everything.
    """
    scanned = time.time()
    known = remembered(store, files) if store else {}
    result: dict[str, Verdict] = {file.path: file.obstacle for file in files if file.obstacle}
    todo = dict.fromkeys(file.path for file in files if file.path not in known and file.path not in result)
    stamps = {file.path: file.stamp for file in files if settled(file, scanned)}
    with progress(total=len(files), done=len(files) - len(todo), unit="file", title="catalog") as bar:
        reading = read_files(root, max_pixels, todo)
        while some := list(islice(reading, KEPT_AT_ONCE)):
            result |= {file.path: file.verdict for file in some}
            if store:
                remember(store, some, stamps)
            bar.update(len(some))
    return result | known


def settled(file: ListedFile, now: float) -> bool:
    """Say whether a file can no longer change under the stamp that it was seen with."""
    return file.stamp is not None and (file.changed is None or file.changed < now - GRANULE)


def remember(store: Store, read: Sequence[ReadFile], stamps: Mapping[str, str | None]) -> None:
    """Keep the verdicts that will last as long as the stamps of their files."""
    store.put(
        (file.path, json.dumps([stamps[file.path], file.verdict]).encode())
        for file in read
        if file.lasting and file.path in stamps
    )


def remembered(store: Store, files: Sequence[ListedFile]) -> dict[str, Verdict]:
    """Return what is remembered of the files whose stamps are the same."""
    stamps = {file.path: file.stamp for file in files if file.stamp}
    result: dict[str, Verdict] = {}
    for path, (stamp, verdict) in store.get_json(stamps):
        if stamp == stamps[path]:
            result[path] = verdict if isinstance(verdict, str) else Facts(*verdict)
    return result


def verify(root: Location, files: Sequence[ListedFile], max_pixels: int, store: Store) -> int:
    """Read every remembered file again, compare hashes, and mend what is remembered wrongly.

    Returns:
        How many files were checked: all of them had the bytes that are remembered.

    Raises:
        InputError: files differ that look unchanged; what is remembered of them is right from now on.
    """
    known = remembered(store, files)
    wrong = []
    with progress(total=len(known), unit="file", title="verify") as bar:
        for file in read_files(root, max_pixels, known):
            if file.verdict != known[file.path]:
                wrong.append(file)
            bar.update()
    remember(store, wrong, {file.path: file.stamp for file in files})
    if wrong:
        raise InputError(
            f"expected the {len(known)} files that look unchanged to have the bytes they had, found {len(wrong)} "
            f"others, such as {one_line(wrong[0].path)}; DVC overlooks them too: `touch` them, run `dvc repro -f -s catalog`, then `dvc repro`"
        )
    return len(known)
