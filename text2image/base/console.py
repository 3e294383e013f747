"""How stages and commands speak to the person who runs them: one clear sentence, or a progress bar."""

import atexit
import os
import select
import sys
import traceback
from argparse import ArgumentParser
from collections.abc import Callable
from contextlib import suppress
from errno import EDQUOT, EFBIG, ENOMEM, ENOSPC, EROFS
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from tqdm import tqdm


NO_MEMORY = (
    "can't allocate memory",  # torch
    "Cannot allocate memory",
    "failed to map segment from shared object",  # a library that is imported
    "can't start new thread",
    "bad allocation",
    "std::bad_alloc",
    "Insufficient memory",  # OpenCV
    "Failed to allocate memory",  # ONNX Runtime
)
"""What libraries say that are given no memory, in exceptions of any type."""

NO_ROOM = (ENOSPC, EDQUOT, EROFS, EFBIG)
INTERRUPTED = "interrupted: finished work is kept, run the same command to go on"


class InputError(ValueError):
    """Something the user gave cannot be used.

    The message is one sentence that says what was expected and what was found, in which file
    and under which key of params.yaml. :func:`run` prints it without a traceback.
    """


class Parser(ArgumentParser):
    """Reads a command line; what is wrong with it is one sentence, and exit code 2."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"error: {one_line(message)}; `{self.prog} --help` says what is expected\n")


def one_line(text: object, limit: int = 200) -> str:
    """Return ``text`` as one printable line: control characters escaped, at most ``limit`` characters."""
    line = "".join(char if char.isprintable() else repr(char)[1:-1] for char in str(text))
    return line if len(line) <= limit else line[: limit - 1] + "…"


def say(message: str) -> None:
    """Print one line of information to standard error, where it does not mix with data."""
    print(message, file=sys.stderr, flush=True)


def progress(*, total: int, unit: str, title: str, done: int = 0) -> "tqdm[NoReturn]":
    """Return a progress bar with rate and time left, to be updated; ``done`` were finished before."""
    from tqdm import tqdm

    return tqdm(total=total, initial=done, unit=unit, desc=title, mininterval=0.5)


def run(main: Callable[[], None]) -> None:
    """Run ``main`` as a stage or a command: an :class:`InputError` is one sentence and exit code 1.

    So is what the machine refuses: memory, room on a disk. Where nobody reads what is printed any more, as behind
    ``| head``, it ends without a word, with exit code 141 as other programs do. Any other exception is a defect of the package and
    keeps its traceback.
    """
    try:
        main()
        _flush()
    except InputError as error:
        _end(1, f"error: {error}")
    except KeyboardInterrupt:
        _end(130, INTERRUPTED)
    except BrokenPipeError:
        if not any(map(_nobody_reads, (1, 2))):
            raise
        _end(141)
    except SystemExit:
        _flush_or_forget()
        raise
    except Exception as error:
        if reason := _machine_says(error):
            _end(1, f"error: {reason}")
        raise
    if "torch" in sys.modules:
        atexit._run_exitfuncs()  # ending here, as taking apart the million objects of torch takes a second of every stage
        _flush_or_forget()
        os._exit(0)


def install_excepthook() -> None:
    """Have Ctrl-C, and what the machine refuses, be one sentence outside of :func:`run`, too, where modules are imported."""
    usual = sys.excepthook

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if isinstance(error, KeyboardInterrupt):
            say(INTERRUPTED)
        elif isinstance(error, Exception) and (reason := _machine_says(error)):
            say(f"error: {reason}")
        else:
            usual(kind, error, trace)

    sys.excepthook = hook


def _end(status: int, message: str = "") -> NoReturn:
    if message:
        with suppress(OSError):
            say(message)
    _flush_or_forget()
    raise SystemExit(status) from None


def _nobody_reads(descriptor: int) -> bool:
    """Return whether the other end of a pipe that is written to has been closed."""
    waiting = select.poll()
    waiting.register(descriptor, 0)
    return any(event & select.POLLERR for _, event in waiting.poll(0))


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        if stream is not None and not stream.closed:  # as with `>&-`
            stream.flush()


def _flush_or_forget() -> None:
    """Flush what was printed; where that fails, have it go nowhere, as Python would say so at the very end."""
    try:
        _flush()
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, AttributeError):
                os.dup2(nowhere, stream.fileno())


def _machine_says(error: Exception) -> str | None:
    """Return what an exception says of the machine and not of this package, with what to do; None for all others."""
    found = one_line(error) or type(error).__name__
    number = getattr(error, "errno", None)
    if isinstance(error, MemoryError) or number == ENOMEM or any(words in str(error) for words in NO_MEMORY):
        return (
            f"expected more memory, found: {found}; end other programs, raise the limit (`ulimit -v`) or lower "
            "runtime.workers and runtime.batch_size in params.yaml; finished work is kept"
        )
    if number in NO_ROOM:
        return f"expected a disk that takes what is written, found: {found}; make room or allow it, and run this again"
    if isinstance(error, RecursionError) and _reads_text(error):
        return "expected JSON or YAML that is nested as people nest it, found a file in which it is nested too deeply"
    return None


def _reads_text(error: Exception) -> bool:
    names = [frame.filename for frame in traceback.extract_tb(error.__traceback__)]
    return any(Path(name).parent.name in ("json", "yaml") for name in names)
