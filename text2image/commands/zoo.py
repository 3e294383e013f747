"""Compare many models on the same queries: ``make zoo``, or ``t2i zoo [STAGE…]``.

Every model of ``zoo.models`` that can be had here, and that memory is likely to suffice for, is run in one
DVC experiment named ``zoo``, in a folder of its own: nothing in the workspace changes. Models that cannot be
had, and models that fail on the way, are listed with the reason and do not end the run. The leaderboard is
printed and written to report/. With stages as arguments the experiment runs only what they need.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from argparse import Namespace
from collections.abc import Iterable, Sequence
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from text2image.base.console import InputError, Parser, one_line, run, say
from text2image.commands.throughput import measure_model, read_speeds
from text2image.encoders.device import pick_device
from text2image.encoders.models.card import describe
from text2image.encoders.models.licence import licence_of
from text2image.encoders.models.load import copies_of_weights
from text2image.encoders.models.memory import require_memory
from text2image.encoders.models.size import measure_size
from text2image.encoders.settings import LOCAL_DIR
from text2image.evaluation.leaderboard import COLUMNS, markdown
from text2image.formats.files import write_text
from text2image.formats.tables import Row, read_csv
from text2image.params import Params, load_params

NAME = "zoo"
FOLDER = Path("report")
LOADING = ("model", "embed_images", "embed_queries")  # stages that fail on a model's account
NOTHING_YET = "WARNING: No file hash info found for"  # DVC says it of every output of a model that is new
FAILED = re.compile(r"failed to reproduce '(?P<stage>\w+)@(?P<item>[^']+)'")


def without_hub_if_silent() -> None:
    """Look only on this machine if the Hugging Face hub does not answer: every model would ask it ten times."""
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return
    try:
        with urlopen(Request(constants.ENDPOINT, method="HEAD"), timeout=10):  # noqa: S310
            return
    except HTTPError:  # an answer
        return
    except OSError as error:
        say(f"zoo: the Hugging Face hub does not answer ({one_line(error)}): looking on this machine alone")
    constants.HF_HUB_OFFLINE = True
    os.environ["HF_HUB_OFFLINE"] = "1"  # for the stages


def check(name: str, params: Params) -> None:
    """Return if a model can be had here; its weights are downloaded, if they have to be, once it fits.

    Raises:
        InputError: it cannot, or there is no memory for it.
    """
    model, device = params.models[name], pick_device(params.runtime.device)
    if size := measure_size(model):
        require_memory(name, size._asdict(), device, copies=1)
    card = describe(name, model)
    require_memory(name, card["size"], device, copies=copies_of_weights(card["files"]))


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


def inputs(models: Sequence[str], params: Params) -> list[Path]:
    """Return the files and folders in the repository that the pipeline reads and does not come with."""
    names = (params.models[model].name for model in models)
    places = [name.removeprefix(LOCAL_DIR) for name in names if name.startswith(LOCAL_DIR)]
    paths = map(Path, [params.data.images, params.label.human.path, *places])
    return [path for path in paths if not path.is_absolute() and path.exists()]


def untracked(paths: Sequence[Path]) -> list[Path]:
    """Return those of ``paths`` that neither git nor DVC would bring into another checkout."""
    from dvc.exceptions import OutputNotFoundError
    from dvc.repo import Repo

    found = []
    with Repo() as repo:
        for path in paths:
            if git("ls-files", "--", str(path)):
                continue
            try:
                repo.find_outs_by_path(str(path), strict=False)
            except OutputNotFoundError:
                found.append(path)
    return found


def experiment(models: list[str], params: Params, stages: Sequence[str]) -> dict[str, str]:
    """Run the experiment and return the models that failed, with the reasons; the others are run to the end.

    Raises:
        InputError: what failed is not a model.
    """
    absent: dict[str, str] = {}
    copies = [f"--copy-paths={path}" for path in untracked(inputs(models, params))]
    if git("show-ref", reference()):  # of an earlier run; DVC's cache keeps what it computed
        dvc("exp", "remove", "-q", reference())
    while left := [model for model in models if model not in absent]:
        chosen = f"embed.models=[{','.join(left)}]"
        code, said = dvc("exp", "run", "--temp", "-n", NAME, *copies, "-S", chosen, *stages)
        if code == 0:
            break
        model, reason = blamed(said, left, params.label.sources)
        if model == params.queries.cosine.model:
            raise InputError(f"expected the model of queries.cosine.model, found: {reason}")
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


def results() -> list[Row]:
    """Return the leaderboard of the experiment; it is a CSV in report/ from then on."""
    import dvc.api

    path = FOLDER / "leaderboard.csv"
    commit = git("rev-parse", reference())  # by its name DVC would take a branch of the same name for it
    write_text(path, dvc.api.read("plots/leaderboard.csv", rev=commit))
    return read_csv(path, COLUMNS)


def measured_speeds() -> dict[str, dict[str, str]]:
    """Return ``{model: {"device", "images", "texts"}}``, embedded a second, of models measured on this machine."""
    speeds: dict[str, dict[str, str]] = {}
    for row in read_speeds():
        speed = speeds.setdefault(row["model"], {"device": row["device"]})
        speed[row["what"]] = row["per_second"]
    return speeds


def measure_speeds(models: Iterable[str], params: Params) -> None:
    """Measure the models that were not measured on this machine yet; without those that cannot be loaded here."""
    for model in sorted(set(models) - measured_speeds().keys()):
        try:
            measure_model(model, params)
        except InputError as error:
            say(f"zoo: the speed of {model} is not known: {error}")


def find_models(models: Sequence[str], params: Params) -> dict[str, str]:
    """Say of each model whether it can be had, and return the reasons of those that cannot."""
    absent = {}
    for model in models:
        try:
            check(model, params)
            say(f"zoo: {model} can be had")
        except InputError as error:
            absent[model] = str(error)
            say(f"zoo: {error}")
    return absent


def arguments(argv: Sequence[str] | None) -> Namespace:
    """Read the command line."""
    parser = Parser(
        "t2i zoo", description="Compare the models of zoo.models in params.yaml on the same queries."
    )
    parser.add_argument("stages", nargs="*", help="stages to run, with what they need (default: all)")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    options = arguments(argv)
    params = load_params()
    models, alike = list(params.zoo.models), params.queries.cosine.model
    if alike and alike not in models:
        models.append(alike)  # it decides which images count as relevant
    without_hub_if_silent()
    absent = find_models(models, params)
    if alike in absent:
        raise InputError(f"expected the model of queries.cosine.model, found: {absent[alike]}")
    absent |= experiment([model for model in models if model not in absent], params, options.stages)
    if len(absent) == len(models):
        raise InputError(
            "expected at least one model of zoo.models in params.yaml that can be had, found none (reasons above)"
        )
    rows = results()
    licences = {row["model"]: licence_of(params.models[row["model"]]) for row in rows}
    measure_speeds(licences, params)
    page = markdown(rows, licences, absent, measured_speeds())
    write_text(FOLDER / "leaderboard.md", page)
    print(page)
    say(
        f"zoo: written to {FOLDER}/; see `dvc exp show`, `dvc metrics diff HEAD {NAME}`, `dvc plots diff HEAD {NAME}`"
    )


if __name__ == "__main__":
    run(main)
