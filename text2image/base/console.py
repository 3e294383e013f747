"""How stages and commands speak to the person who runs them: one clear sentence, or a progress bar."""

import atexit
import os
import sys
from argparse import ArgumentParser
from collections.abc import Callable
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from tqdm import tqdm


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

    Any other exception is a defect of the package and keeps its traceback.
    """
    try:
        main()
    except InputError as error:
        say(f"error: {error}")
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        say("interrupted: finished work is kept, run the same command to go on")
        raise SystemExit(130) from None
    if "torch" not in sys.modules:
        return
    atexit._run_exitfuncs()  # ending here, as taking apart the million objects of torch takes a second of every stage
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        os._exit(120)  # as Python does it where what was printed could not be written
    os._exit(0)
