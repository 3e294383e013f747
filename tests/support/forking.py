"""A process that has imported the label stage, and forks one that runs it: killed runs without the wait for imports."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.support.workplace import REPOSITORY

PROGRAM = """
import os, sys, signal
import stages.label
from text2image.base.console import run
from text2image.labels.openai import ask, source
from text2image.params import load_params

for line in sys.stdin:
    child = os.fork()
    if child == 0:
        run(lambda: stages.label.main(load_params(), "openai"))
        os._exit(0)
    print(child, flush=True)
    print(os.waitpid(child, 0)[1], flush=True)
"""


class Forker:
    """Starts runs of the stage ``label@openai`` in a folder, one after the other."""

    def __init__(self, folder: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM], cwd=folder, env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def __enter__(self) -> Forker:
        return self

    def __exit__(self, *raised: object) -> None:
        self._process.kill()
        self._process.communicate()

    def start(self) -> int:
        """Start a run and return its process id."""
        assert self._process.stdin is not None
        self._process.stdin.write("run\n")
        self._process.stdin.flush()
        return int(self._line())

    def wait(self) -> int:
        """Wait for the run's end and return its status as of ``os.waitpid``."""
        return int(self._line())

    def kill(self, run: int) -> None:
        """Kill a run as ``kill -9`` does."""
        os.kill(run, signal.SIGKILL)
        assert os.WIFSIGNALED(self.wait())

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()
