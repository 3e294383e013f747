"""What a stage takes before it works: ``python -m benchmarks.startup [--before COMMIT] [--rounds N]``.

Each kind of stage is run on one image, or one text, with nothing in the store, so that all it does is import, load and
one pass; then with everything in the store. The reference, in the same rounds, is a process that imports torch alone.
What counts is processor time, of which a process that imports takes nearly as much as it lasts: another process beside
it changes it little. With ``--before``, the same is run with the code of a commit, taking turns.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import yaml

from benchmarks.embedding import REPOSITORY, make_project
from benchmarks.table import Row, against, at_most, reference, report, require

MODELS = ("builtin", "ViT-B-32")
TEXTS = "q1\ta red shoe\n"
ROUNDS = 5
PART = "start of a process, seconds of processor time"
TORCH = "import torch"
NOTHING = "embed_images builtin, nothing to embed"


class Process(NamedTuple):
    """A process that is measured.

    Attributes:
        name: in the table.
        arguments: of Python.
        stored: whether the store is as the process before left it; else it is empty.
        most: the largest multiple of what importing torch takes.
    """

    name: str
    arguments: Sequence[str]
    stored: bool = False
    most: float | None = None


PROCESSES = (
    Process(TORCH, ("-c", "import torch, os; os._exit(0)")),
    Process("import open_clip", ("-c", "import open_clip, os; os._exit(0)")),
    Process("embed_images ViT-B-32, one image", ("-m", "stages.embed_images", "ViT-B-32"), most=3),
    Process("embed_images builtin, one image", ("-m", "stages.embed_images", "builtin"), most=3),
    Process(NOTHING, ("-m", "stages.embed_images", "builtin"), stored=True, most=0.5),
    Process("embed_queries builtin, one text", ("-m", "stages.embed_queries", "builtin", "human"), most=4.2),
    Process(
        "embed_queries ViT-B-32, one text", ("-m", "stages.embed_queries", "ViT-B-32", "human"), most=4.2
    ),
    Process("label imagenet, one image", ("-m", "stages.label", "imagenet"), most=3),
    Process("label imagenet, nothing to ask", ("-m", "stages.label", "imagenet"), stored=True, most=0.5),
)


def make(root: Path) -> None:
    """Make a folder with one image, one query and the models."""
    make_project(root, MODELS, 1)
    (root / "manifest.csv").rename(root / "data" / "manifest.csv")
    for path, text in {"queries/human.tsv": TEXTS, "label_inputs/imagenet.csv": "path,text\n"}.items():
        (root / "data" / path).parent.mkdir(exist_ok=True)
        (root / "data" / path).write_text(text)


def set_params(root: Path, code: Path) -> None:
    """Write params.yaml as the code in a folder has it."""
    params: dict[str, Any] = yaml.safe_load((code / "params.yaml").read_text())
    params["data"]["images"] = "data/images"
    params["label"]["sources"] = ["human", "imagenet"]
    for name in MODELS:
        described = {"name": f"local-dir:data/models/{name}", "pretrained": None, "context_length": None}
        params["models"][name] = described
    params["embed"]["models"] = params["retrieve"]["systems"] = list(MODELS)
    params |= {"systems": {}}
    params["index"]["models"], params["retrieve"]["fields"] = [], []
    (root / "params.yaml").write_text(yaml.safe_dump(params))


def processor_seconds(root: Path, code: Path, process: Process) -> float:
    """Return what a process takes with the code in a folder.

    Raises:
        RuntimeError: it failed.
    """
    if not process.stored:  # the batch sizes that were found are kept
        for path in (root / ".cache").rglob("*.sqlite*"):
            path.unlink()
    environment = os.environ | {"DVC_ROOT": str(root), "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(code)}
    with tempfile.TemporaryFile("w+") as said:
        command = [sys.executable, *process.arguments]
        running = subprocess.Popen(command, cwd=root, env=environment, stdout=said, stderr=said)
        _, status, usage = os.wait4(running.pid, 0)
        running.returncode = os.waitstatus_to_exitcode(status)
        if running.returncode:
            said.seek(0)
            raise RuntimeError(f"{process.name} failed:\n{said.read()[-3000:]}")
    return usage.ru_utime + usage.ru_stime


def measure(codes: Sequence[Path], rounds: int) -> dict[Path, dict[str, float]]:
    """Return the median seconds of every process with the code in each folder; all take turns."""
    taken: dict[Path, dict[str, list[float]]] = {code: {} for code in codes}
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        make(root)
        for counts in [False, *[True] * rounds]:  # first compile what is imported and find the batch sizes
            for code in codes:
                set_params(root, code)
                for process in PROCESSES:
                    seconds = processor_seconds(root, code, process)
                    if counts:
                        taken[code].setdefault(process.name, []).append(seconds)
    return {code: {name: median(all_) for name, all_ in found.items()} for code, found in taken.items()}


def rows(rounds: int = ROUNDS, before: Path | None = None) -> Iterator[Row]:
    """Yield the rows of the table; with the code of ``before``, what that takes beside each."""
    found = measure([REPOSITORY, before] if before else [REPOSITORY], rounds)
    ours = found[REPOSITORY]
    base = reference(PART, TORCH, ours[TORCH])
    yield base
    for process in PROCESSES[1:]:
        row = against(base, process.name, ours[process.name])
        yield at_most(row, process.most) if process.most else row
        if before:
            earlier = reference(PART, f"{process.name}, before", found[before][process.name])
            yield against(earlier, process.name, ours[process.name])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.startup")
    parser.add_argument("--before", metavar="COMMIT", help="a commit whose code is run beside this")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args()
    if options.before is None:
        require(report(rows(options.rounds)))
        return
    with tempfile.TemporaryDirectory() as folder:
        code = Path(folder) / "before"
        git = ["git", "-C", str(REPOSITORY), "worktree"]
        subprocess.run([*git, "add", "--quiet", "--detach", str(code), options.before], check=True)
        try:
            require(report(rows(options.rounds, code)))
        finally:
            subprocess.run([*git, "remove", "--force", str(code)], check=True)


if __name__ == "__main__":
    main()
