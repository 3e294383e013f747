"""Run the pipeline with several models in one DVC experiment, in a folder of its own, and go on without those that fail."""

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from text2image.base.console import InputError, say
from text2image.commands.pipeline.repairs import repair
from text2image.encoders.settings import checkpoint_directory
from text2image.params import Params

NAME = "zoo"
LOADING = ("model", "embed_images", "embed_queries")  # stages that fail on a model's account
NOTHING_YET = "WARNING: No file hash info found for"  # DVC says it of every output of a model that is new
FAILED = re.compile(r"failed to reproduce '(?P<stage>\w+)@(?P<item>[^']+)'")


def dvc(*arguments: str) -> tuple[int, str]:
    """Run DVC, pass on what it says as it comes, and return its exit status and all that it said."""
    process = subprocess.Popen(  # noqa: S603
        [sys.executable, "-m", "dvc", *arguments],
        env=os.environ | {"PYTHONUNBUFFERED": "1"}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, errors="replace",
    )  # fmt: skip
    said = []
    with process:
        for line in process.stdout or ():
            said.append(line)
            if not line.startswith(NOTHING_YET):
                sys.stderr.write(line)
                sys.stderr.flush()
    return process.returncode, "".join(said)


def git(*arguments: str) -> str:
    """Return what git prints; nothing where it fails."""
    done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)  # noqa: S603, S607
    return done.stdout.strip()


def reference() -> str:
    """Return the git reference of the experiment, which belongs to the commit that is checked out."""
    head = git("rev-parse", "HEAD")
    return f"refs/exps/{head[:2]}/{head[2:]}/{NAME}"


def untracked_inputs(models: Sequence[str], params: Params) -> list[Path]:
    """Return what the pipeline reads in the repository that neither git nor DVC would bring into another checkout."""
    from dvc.exceptions import OutputNotFoundError
    from dvc.repo import Repo

    folders = [checkpoint_directory(params.models[model].name) for model in models]
    inputs = [Path(params.data.images), Path(params.label.human.path), *filter(None, folders)]
    untracked = []
    with Repo() as repo:
        for path in inputs:
            if path.is_absolute() or not path.exists() or git("ls-files", "--", str(path)):
                continue
            try:
                repo.find_outs_by_path(str(path), strict=False)
            except OutputNotFoundError:
                untracked.append(path)
    return untracked


def experiment(models: Sequence[str], params: Params, stages: Sequence[str]) -> dict[str, str]:
    """Run the experiment and return the models that failed, with the reasons; the others are run to the end.

    What a kill left of DVC's own files, which the experiment would take over, is repaired first.

    Raises:
        InputError: what failed is not a model, or what DVC cannot read cannot be repaired without losing something.
    """
    from dvc.repo import Repo

    repair(Path(Repo.find_root()))
    left, absent = list(models), dict[str, str]()
    copies = [f"--copy-paths={path}" for path in untracked_inputs(models, params)]
    if git("show-ref", reference()):  # of an earlier run; DVC's cache keeps what it computed
        dvc("exp", "remove", "-q", reference())
    while left:
        lists = ("embed.models", "retrieve.systems")
        chosen = [word for key in lists for word in ("-S", f"{key}=[{','.join(left)}]")]
        code, said = dvc("exp", "run", "--temp", "-n", NAME, *copies, *chosen, *stages)
        if code == 0:
            break
        model, reason = blamed(said, left, params.label.sources)
        if model == params.queries.cosine.model:
            raise InputError(f"expected the model of queries.cosine.model, found: {reason}")
        left.remove(model)
        absent[model] = reason
        say(f"zoo: going on without {model}")
    return absent


def blamed(said: str, models: Sequence[str], sources: Sequence[str]) -> tuple[str, str]:
    """Return the model on whose account an experiment failed, and why, from what DVC said.

    Raises:
        InputError: it was not a model's fault.
    """
    for failed in FAILED.finditer(said):
        for model in models:
            items = {model, *(f"{model}-{source}" for source in sources)}
            if failed["stage"] in LOADING and failed["item"] in items:
                errors = re.findall(r"^error: (.+)", said[: failed.start()], re.MULTILINE)
                line = said[failed.start() :].split("\n", 1)[0]
                return model, errors[-1] if errors else line
    raise InputError("expected the experiment to run to its end, found that it failed for the reason above")
