"""Python's search for garbage, which takes half of the time in which a row for each of many images is read."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def no_collection() -> Iterator[None]:
    """Look for no cyclic garbage in a block, or in a function, that makes many objects which all stay.

    Python would walk over them again and again as they become more. Blocks may be nested; other objects are freed as
    always.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
