"""Which image a row of a captions file means: by what its path is sure to mean, never by guesswork.

A path is relative to the image folder (data.images). Computers write one and the same path in several ways, which all
name the image: composed and decomposed letters (Unicode NFC; NFD on a Mac), ``\\`` for ``/``, ``./`` before it,
``%20`` for a blank, the folder's own name before it or the whole way to the folder, on any machine. A bare file name
names the one image that has it. Upper and lower case differ, as files do that differ in nothing else.
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches
from pathlib import PurePosixPath
from typing import NamedTuple
from urllib.parse import unquote

from text2image.collection.manifest import ManifestEntry
from text2image.formats.tables import Row

NO_IMAGE = "names no usable image"
SEVERAL = "names several images"
CONTRADICTION = "image_id and path name different images"
ABSOLUTE = re.compile(r"/|[A-Za-z]:/|[A-Za-z][A-Za-z0-9+.-]+://")
DIGITS = re.compile(r"\d+")
MIN_SIMILARITY = 0.7  # how alike (difflib) a path must be to be suggested; 1 is equal


def normalise_path(path: str) -> str:
    """Return a path with ``/`` between its parts, composed letters, and neither ``.`` nor empty parts.

    >>> normalise_path(".\\\\0\\\\Zu\\u0308rich.jpg")
    '0/Zürich.jpg'
    """
    composed = unicodedata.normalize("NFC", path.strip()).replace("\\", "/")
    start = match[0] if (match := ABSOLUTE.match(composed)) else ""
    return start + "/".join(part for part in composed[len(start) :].split("/") if part not in ("", "."))


def unquoted(path: str) -> str:
    """Return :func:`normalise_path` of a path with percent-encoding taken away."""
    return normalise_path(unquote(path))


def below_folder(path: str, folder: str) -> str:
    """Return what a path has after the image folder, or all of it if the folder is not in it.

    A relative path may begin with the last parts of the folder's path. In an absolute path or a URL, the longest such
    parts may stand anywhere, since the folder lies elsewhere on another machine.

    >>> below_folder("images/0/a.jpg", "data/images"), below_folder("C:\\\\ads\\\\images\\\\0\\\\a.jpg", "data/images")
    ('0/a.jpg', '0/a.jpg')
    """
    parts, own = ([part for part in unquoted(either).split("/") if part != ".."] for either in (path, folder))
    anywhere = range(len(parts)) if ABSOLUTE.match(normalise_path(path)) else range(1)
    for length in range(len(own), 0, -1):
        for start in anywhere if own[-1] else ():
            if parts[start : start + length] == own[-length:] and start + length < len(parts):
                return "/".join(parts[start + length :])
    return path


class Match(NamedTuple):
    """The image that a row means; ``reason`` says why there is none, ``foreign_id`` that its id is of another kind."""

    image_id: str | None
    reason: str = ""
    foreign_id: bool = False


class ImagesByPath:
    """The images of a collection by their paths, in the ways in which these are written."""

    FORMS: tuple[Callable[[str], str], ...] = (str, normalise_path, unquoted)

    def __init__(self, manifest: Iterable[ManifestEntry]) -> None:
        self.paths: list[str] = []
        self._ids: set[str] = set()
        self._images: list[dict[str, set[str]]] = [defaultdict(set) for _ in self.FORMS]
        self._named: dict[str, set[str]] = defaultdict(set)
        for entry in manifest:
            self.paths.append(entry.path)
            self._ids.add(entry.image_id)
            for images, form in zip(self._images, self.FORMS, strict=True):
                images[form(entry.path)].add(entry.image_id)
            self._named[PurePosixPath(unquoted(entry.path)).name].add(entry.image_id)

    def match(self, row: Row) -> Match:
        """Return the image of a row with the columns ``image_id``, ``path`` and ``below`` (the path below the folder)."""
        own_id = row["image_id"].lower()
        by_id = own_id if own_id in self._ids else None
        found = self._of_path(row["path"]) or self._of_path(row["below"]) or self._of_name(row["path"])
        if by_id:
            return Match(None, CONTRADICTION) if found and by_id not in found else Match(by_id)
        if len(found) != 1:
            return Match(None, SEVERAL if found else NO_IMAGE)
        return Match(next(iter(found)), foreign_id=bool(own_id))

    def _of_path(self, path: str) -> set[str]:
        forms = (images.get(form(path)) for images, form in zip(self._images, self.FORMS, strict=True))
        return next(filter(None, forms), set())

    def _of_name(self, path: str) -> set[str]:
        name = unquoted(path)
        return self._named.get(name, set()) if "/" not in name else set()

    def superfluous_folder(self, paths: Sequence[str]) -> tuple[str, int] | None:
        """Return the folders with which all paths begin and without which most of them name images, and how many do.

        That is what a folder was called before it was copied to data.images. It is for a message: other images may have
        the same names below another folder.

        >>> images = ImagesByPath([ManifestEntry("a", "0/a.jpg")])
        >>> images.superfluous_folder([r"ads\\0\\a.jpg"]), images.superfluous_folder(["0/b.jpg"])
        (('ads', 1), None)
        """
        parts = [PurePosixPath(unquoted(path)).parts for path in paths]
        shared = next(
            (n for n, names in enumerate(zip(*parts, strict=False)) if len(set(names)) > 1), len(parts[0])
        )
        for length in range(1, min(shared, min(map(len, parts)) - 1) + 1):
            named = sum(len(self._of_path("/".join(names[length:]))) == 1 for names in parts)
            if 2 * named > len(parts):
                return str(PurePosixPath(*parts[0][:length])), named
        return None

    def suggest(self, path: str) -> str | None:
        """Return the path of the collection that a path which names no image may mean; None if none is like it.

        That is one in other case, one at its end, or else the one most like it; another number is another image.
        """
        wanted = unquoted(path).casefold()
        known = {unquoted(path).casefold(): path for path in self.paths}
        ends = (wanted[at + 1 :] for at in [-1, *(i for i, char in enumerate(wanted) if char == "/")])
        if (end := next(filter(known.__contains__, ends), None)) is not None:
            return known[end]
        numbers = DIGITS.findall(wanted)
        like = [path for path in known if DIGITS.findall(path) == numbers]
        return next(
            (known[path] for path in get_close_matches(wanted, like, n=1, cutoff=MIN_SIMILARITY)), None
        )
