"""Processes that permissions of files hold for, also where the tests run as root."""

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PR_CAPBSET_DROP = 24
OVERRIDES = (1, 2)  # CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH of capabilities(7)
WRITE = 0o222


def unprivileged() -> None:
    """Give up what lets root read and write everything; the ``preexec_fn`` of a process that is then started."""
    if os.getuid() == 0:
        libc = ctypes.CDLL(None, use_errno=True)
        for capability in OVERRIDES:
            if libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0):
                raise OSError(ctypes.get_errno(), "root may not give up its capabilities")


@contextmanager
def read_only(root: Path) -> Iterator[None]:
    """Let nobody write to a folder and what is below it while a block runs."""
    paths = [root, *(path for path in root.rglob("*") if not path.is_symlink())]
    modes = {path: path.stat().st_mode for path in paths}
    for path in reversed(paths):
        path.chmod(modes[path] & ~WRITE)
    try:
        yield
    finally:
        for path, mode in modes.items():
            path.chmod(mode)
