"""Small pictures of the gallery, made when they are asked for."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from functools import lru_cache

from text2image.collection.images import UnusableImage, decode, image_id, read_bytes
from text2image.collection.locations import Location
from text2image.labels.openai.encode import jpeg

SMALL, LARGE = SIDES = (320, 960)  # pixels: in a list, and alone
KEPT = 1024  # of some 20 KB each
AT_ONCE = threading.Semaphore(2)  # a picture of 100 megapixels takes 400 MB while it is decoded


class Thumbnails:
    """Uploads by id, re-encoded: no caller names a file.

    Args:
        files: ``{image_id: path}`` of the gallery.
        max_pixels: larger pictures are not decoded.
    """

    def __init__(self, files: Mapping[str, Location], max_pixels: int) -> None:
        self.files, self.max_pixels = files, max_pixels
        self._made = lru_cache(KEPT)(self._make)

    def get(self, image: str, side: int) -> bytes | None:
        """Return a JPEG of at most ``side`` pixels; None for what is not in the gallery, or changed since."""
        if image not in self.files or side not in SIDES:
            return None
        try:
            return self._made(image, side)
        except UnusableImage:
            return None

    def _make(self, image: str, side: int) -> bytes:
        with AT_ONCE:
            content = read_bytes(self.files[image])
            if image_id(content) != image:
                raise UnusableImage("changed since the catalog was made")
            return jpeg(decode(content, self.max_pixels), side)
