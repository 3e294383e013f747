"""How this process keeps memory: Python's search for garbage, and what the C library does with blocks that were freed.

Where the C library is not glibc, it does what it does.
"""

import ctypes
import gc
from collections.abc import Iterator
from contextlib import contextmanager, suppress

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8
"""Options of glibc's mallopt(3)."""

LARGEST_KEPT = 1 << 25
"""Bytes of the largest block that glibc can keep."""

_returns = False
"""Whether this process returns freed memory, as one that serves pages."""


def keep_freed_memory(most: int = 1 << 30) -> None:
    """Have the C library keep freed memory for the next image or forward pass instead of returning it.

    By default every page of every block costs a fault when it is asked for again: a tenth of the time in which images are
    read and compared, a quarter of a small network's. A process that serves pages goes on returning it.

    Args:
        most: bytes that are kept before any are returned.
    """
    if not _returns:
        _set_options({M_MMAP_THRESHOLD: LARGEST_KEPT, M_TRIM_THRESHOLD: most})


def return_freed_memory() -> None:
    """Have every block of a megabyte and more go back to the system once it is free, in this process, which serves pages.

    Otherwise the C library keeps blocks for each of the threads that answer, which together are several pictures more.
    """
    global _returns
    _returns = True
    _set_options({M_MMAP_THRESHOLD: 1 << 20, M_ARENA_MAX: 4})


def return_free_memory_now() -> None:
    """Have the C library return what is free: it keeps the blocks of a picture for every thread that has decoded one."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def _set_options(options: dict[int, int]) -> None:
    with suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        for option, value in options.items():
            mallopt(option, value)


@contextmanager
def no_collection() -> Iterator[None]:
    """Look for no cyclic garbage in a block, or in a function, that makes many objects which all stay.

    Python would walk over them again and again as they become more, for half of the time in which rows are read. Blocks
    may be nested; other objects are freed as always.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
