"""Pictures of the gallery, made small when they are asked for, and pictures that were sent to search with."""

import secrets
from collections import OrderedDict
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from text2image.base.console import InputError, say
from text2image.collection.manifest import ImageFile
from text2image.labels.openai.encode import jpeg
from text2image.pages.decoding import shown
from text2image.pages.placeholder import placeholder

SMALL, LARGE = SIDES = (320, 960)  # pixels: in a list, and alone
THUMBNAILS = 1024  # that are kept, of some 20 KB each
UPLOADS = 8  # that are kept


class Thumbnail(NamedTuple):
    """A JPEG, and whether it ``shows_image``: it is a placeholder where the file changed since the catalog was made."""

    content: bytes
    shows_image: bool


class Thumbnails:
    """Small pictures by id, re-encoded: no caller names a file.

    Args:
        images: ``{image_id: image}`` of the gallery.
    """

    def __init__(self, images: Mapping[str, ImageFile]) -> None:
        self.images = images
        self._said: set[str] = set()
        self._made = lru_cache(THUMBNAILS)(self._make)

    def get(self, image: str, side: int) -> Thumbnail | None:
        """Return an image at most ``side`` pixels large; None for what is not in the gallery."""
        if image not in self.images or side not in SIDES:
            return None
        try:
            return Thumbnail(self._made(image, side), True)
        except InputError as error:
            if image not in self._said:
                self._said.add(image)
                say(f"error: {error}")
            return Thumbnail(jpeg(placeholder(), side), False)

    def _make(self, image: str, side: int) -> bytes:
        return shown(self.images[image], side)


class Uploads(OrderedDict[str, bytes]):
    """The last pictures that were sent, in memory, by names that nobody can guess."""

    def keep(self, content: bytes) -> str:
        """Return the name under which a picture is kept for a while."""
        name = secrets.token_urlsafe(16)
        self[name] = content
        while len(self) > UPLOADS:
            self.popitem(last=False)
        return name
