"""How commands and stages end where the machine, or who reads them, does not do what they expect."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.pipeline import REPOSITORY

RUN = "from text2image.base.console import run, install_excepthook; import json, os, sys; "
LIMITED = f"ulimit -v {1 << 19}; exec "  # KiB: Python starts in it, torch does not


def ended(command: str, cwd: Path = REPOSITORY) -> tuple[int, str]:
    """Run a line of bash; return its exit code, or that of the first command of a pipe, and what it said as errors."""
    environment = os.environ | {
        "PYTHONPATH": str(REPOSITORY),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], cwd=cwd, env=environment, text=True,
        capture_output=True, check=False,
    )  # fmt: skip
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    "command",
    [
        "python -m text2image.cli --help",
        "python -m text2image.cli --version",
        "python -m stages.label --help",
        f"python -c '{RUN} run(lambda: [print(\"word \" * 99) for _ in range(9999)])'",
    ],
)
def test_where_nobody_reads_it_ends_without_a_word(command: str) -> None:
    """`| head` closes what is written to; here it is closed before anything is."""
    code, said = ended(f"(sleep 0.5; {command}) | true")
    assert (code, said) in [(141, ""), (0, "")]
    code, said = ended(f"{command} | head -n 1")
    assert (code, said) in [(141, ""), (0, "")]
    assert "Traceback" not in ended(f"{command} >&-")[1]


def test_what_is_printed_to_a_full_disk_is_one_sentence() -> None:
    code, said = ended(f"python -c '{RUN} run(lambda: print(1))' > /dev/full")
    assert code == 1
    assert said.startswith("error: expected a disk that takes what is written, found: [Errno 28]")
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    "command",
    [
        f"python -c '{RUN} run(lambda: len(bytearray(1 << 34)))'",
        f"python -c '{RUN} run(lambda: __import__(\"torch\"))'",
        f"python -c '{RUN} install_excepthook(); import torch'",
        "python -m text2image.cli search shoe",
    ],
)
def test_too_little_memory_is_one_sentence(command: str, tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_bytes((REPOSITORY / "params.yaml").read_bytes())
    code, said = ended(LIMITED + command, tmp_path)
    assert code == 1
    assert said.startswith("error: expected ")
    assert said.count("\n") == 1
    if "search" not in command:
        assert said.startswith("error: expected more memory, found: ")


@pytest.mark.parametrize(
    "command",
    [
        f"python -c '{RUN} run(lambda: os.kill(os.getpid(), 2))'",
        f"python -c '{RUN} install_excepthook(); os.kill(os.getpid(), 2)'",
        "python -c 'import os, stages; os.kill(os.getpid(), 2); import stages.evaluate'",
    ],
)
def test_ctrl_c_is_one_sentence(command: str) -> None:
    """While modules are imported, too, of which `stages` itself imports none that take time."""
    code, said = ended(command)
    assert code != 0
    assert said == "interrupted: finished work is kept, run the same command to go on\n"


def test_stages_import_what_takes_time_after_the_hook() -> None:
    """Ctrl-C before it would be a traceback."""
    late = '{"text2image.params", "pandas", "PIL"}'
    assert ended(f"python -c 'import stages, sys; sys.exit(sorted({late} & set(sys.modules)) or None)'") == (
        0,
        "",
    )


def test_json_that_is_nested_too_deeply_is_one_sentence() -> None:
    code, said = ended(f"python -c '{RUN} run(lambda: json.loads(\"[\" * 100000))'")
    assert (code, said.count("\n")) == (1, 1)
    assert said.startswith("error: expected JSON or YAML that is nested as people nest it")


@pytest.mark.parametrize("defect", ["(lambda f: f(f))(lambda f: f(f))", 'os.write(99, b"")', "1 / 0"])
def test_a_defect_keeps_its_traceback(defect: str) -> None:
    code, said = ended(f"python -c '{RUN} run(lambda: {defect})'")
    assert code == 1
    assert "Traceback" in said


def test_a_pipe_that_is_not_what_is_printed_to_is_a_defect() -> None:
    broken = "r, w = os.pipe(); os.close(r);"
    code, said = ended(f"python -c '{RUN} {broken} run(lambda: os.write(w, b\"1\"))'")
    assert (code, "BrokenPipeError" in said) == (1, True)


def test_the_limit_is_one_in_which_python_starts() -> None:
    assert ended(f"{LIMITED} python -c '{RUN} run(lambda: None)'") == (0, "")
