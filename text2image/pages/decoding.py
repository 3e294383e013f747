"""All decoding of pictures in a page's process shares one budget of pixels, so that many large ones need no more memory than one.

A picture of 100 megapixels takes 400 MB and more while it is decoded, and a file of a few kilobytes can hold one.
"""

import threading
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path

from text2image.base.memory import return_free_memory_now
from text2image.collection.bounds import most_pixels
from text2image.collection.images import FRAMES, open_content, open_pillow, part_of, read_image_bytes
from text2image.collection.manifest import ImageFile
from text2image.labels.openai.encode import jpeg

PIXELS = 50_000_000
"""That are decoded at once, or one picture that has more."""

PIXELS_OF_SMALL = 16_000_000
"""That are decoded at once of pictures that are not large."""

LARGE = 8_000_000
"""Pixels of a picture after whose decoding freed memory is given back to the system."""


class Budget:
    """Lets so many pixels, or bytes, be worked on at once; others wait, in the order in which they came.

    Args:
        amount: that may be worked on at once. A picture that has more is worked on alone.
    """

    def __init__(self, amount: int) -> None:
        self.amount, self._used = amount, 0
        # One waits for room at a time, so that small ones do not overtake large ones for ever.
        self._next = threading.Lock()
        self._changed = threading.Condition()

    @contextmanager
    def take(self, wanted: int) -> Iterator[None]:
        """Wait until there is room for so much, and keep it while the block runs."""
        with self._next, self._changed:
            while self._used and self._used + wanted > self.amount:
                self._changed.wait()
            self._used += wanted
        try:
            yield
        finally:
            if wanted >= LARGE:
                return_free_memory_now()
            with self._changed:
                self._used -= wanted
                self._changed.notify()


class Lanes:
    """The budgets of a process: large pictures, one after the other, keep nobody waiting who wants a small one."""

    def __init__(self) -> None:
        self._small, self._large = Budget(PIXELS_OF_SMALL), Budget(PIXELS)

    def take(self, pixels: int) -> AbstractContextManager[None]:
        """Wait until there is room for so many pixels, and keep it while the block runs."""
        return (self._large if pixels >= LARGE else self._small).take(pixels)


BUDGET = Lanes()
"""That of this process."""

LARGE_FILE, FILES = 4_000_000, Budget(100_000_000)
"""Bytes of a file that waits until there is room for it, and the budget of bytes of such files, or one that has more."""


def pixels_of(content: bytes) -> int:
    """Return how many pixels a picture has by its headers; 0 for what is none, and is refused undecoded.

    That is the largest of the frames that are looked at; of a GIF file of several, of which one is large, as many as are
    decoded at once.
    """
    with suppress(Exception), warnings.catch_warnings(action="ignore"), open_pillow(content) as image:
        most = most_pixels(image, FRAMES, LARGE)
        return max(PIXELS, image.width * image.height) if most is None else most
    return 0


def size_of(image: ImageFile) -> int:
    """Return how many bytes an image's file has; 0 where that cannot be told before it is read, as behind a URL."""
    with suppress(OSError):
        return image.path.stat().st_size if isinstance(image.path, Path) else 0
    return 0


@contextmanager
def content_of(image: ImageFile) -> Iterator[bytes]:
    """Give a block the bytes of an image of the gallery; of large files, those of few are in memory at once.

    Raises:
        InputError: its file is not what the catalog saw.
    """
    size = size_of(image)
    with FILES.take(size) if size >= LARGE_FILE else nullcontext():
        yield read_image_bytes(image)


def shown(image: ImageFile, side: int) -> bytes:
    """Return an image of the gallery as a JPEG of at most ``side`` pixels.

    Raises:
        InputError: its file is not what the catalog saw.
    """
    with content_of(image) as content, BUDGET.take(pixels_of(content)):
        return jpeg(part_of(open_content(image, content), image), side)
