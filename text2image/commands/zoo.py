"""Compare many models on the same queries: ``make zoo``, or ``t2i zoo [STAGE…]``.

Every model of ``zoo.models`` that can be had here, and that memory is likely to suffice for, is run in one
DVC experiment named ``zoo``, in a folder of its own: nothing in the workspace changes. Models that cannot be
had, and models that fail on the way, are listed with the reason and do not end the run. The leaderboard is
printed and written to report/, with the speed of every model, which is measured here. With stages as arguments the experiment runs only what they need.
"""

from __future__ import annotations

import os
import tempfile
from argparse import Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from text2image.artifacts import ARTIFACTS
from text2image.base.console import InputError, Parser, one_line, run, say
from text2image.commands.experiment import NAME, experiment, git, reference
from text2image.encoders.device import pick_device
from text2image.encoders.models.card import describe
from text2image.encoders.models.licence import licence_of
from text2image.encoders.models.load import copies_of_weights
from text2image.encoders.models.memory import require_memory
from text2image.encoders.models.size import measure_size
from text2image.encoders.throughput import Speed, measure_speeds
from text2image.evaluation.leaderboard import COLUMNS, SPEED_COLUMNS, add_speeds
from text2image.formats.files import write_text
from text2image.formats.tables import Row, read_csv, write_csv
from text2image.pages.leaderboard import markdown
from text2image.params import Params, load_params

Card = dict[str, Any]

FOLDER = Path("report")


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


def check(name: str, params: Params) -> Card:
    """Return the card of a model that can be had here; its weights are downloaded, if they have to be, once it fits.

    Raises:
        InputError: it cannot, or there is no memory for it.
    """
    model, device = params.models[name], pick_device(params.runtime.device)
    if size := measure_size(model):
        require_memory(name, size._asdict(), device, copies=1)
    card = describe(name, model)
    require_memory(name, card["size"], device, copies=copies_of_weights(card["files"]))
    return card


def find_models(models: Sequence[str], params: Params) -> tuple[dict[str, Card], dict[str, str]]:
    """Return the cards of the models that can be had, and the reasons why others cannot."""
    cards, absent = {}, {}
    for model in models:
        try:
            cards[model] = check(model, params)
            say(f"zoo: {model} can be had")
        except InputError as error:
            absent[model] = str(error)
            say(f"zoo: {error}")
    return cards, absent


def measure(cards: Mapping[str, Card], params: Params) -> list[Speed]:
    """Return the speeds of all models that can be measured here."""
    speeds: list[Speed] = []
    for model, card in cards.items():
        say(f"zoo: measuring how fast {model} embeds")
        try:
            speeds += measure_speeds(model, card, params.embed.precision, params.runtime)
        except InputError as error:
            say(f"zoo: the speed of {model} is not known: {error}")
    return speeds


def results() -> list[Row]:
    """Return the leaderboard that the experiment found."""
    import dvc.api

    commit = git("rev-parse", reference())  # by its name DVC would take a branch of the same name for it
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "leaderboard.csv")
        write_text(path, dvc.api.read(str(ARTIFACTS.plot("leaderboard")), rev=commit))
        return read_csv(path, COLUMNS)


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
    cards, absent = find_models(models, params)
    if alike in absent:
        raise InputError(f"expected the model of queries.cosine.model, found: {absent[alike]}")
    absent |= experiment(list(cards), params, options.stages)
    if len(absent) == len(models):
        raise InputError(
            "expected at least one model of zoo.models in params.yaml that can be had, found none (reasons above)"
        )
    rows = results()
    speeds = measure({model: cards[model] for model in dict.fromkeys(row["model"] for row in rows)}, params)
    rows = add_speeds(rows, speeds)
    licences = {row["model"]: licence_of(params.models[row["model"]]) for row in rows}
    page = markdown(rows, licences, absent)
    columns = (*COLUMNS, *SPEED_COLUMNS)
    write_csv(FOLDER / "leaderboard.csv", columns, ([row[name] for name in columns] for row in rows))
    write_text(FOLDER / "leaderboard.md", page)
    print(page)
    say(
        f"zoo: written to {FOLDER}/; see `dvc exp show`, `dvc metrics diff HEAD {NAME}`, `dvc plots diff HEAD {NAME}`"
    )


if __name__ == "__main__":
    run(main)
