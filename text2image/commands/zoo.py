"""Compare many models on the same queries: ``make zoo``, or ``t2i zoo [STAGE…]``.

Every model of ``zoo.models`` that can be had here, and that memory is likely to suffice for, is run in one
DVC experiment named ``zoo``, in a folder of its own: nothing in the workspace changes. Models that cannot be
had, and models that fail on the way, are listed with the reason and do not end the run. The leaderboard is
printed and written to report/, with the speed of every model, which is measured here. With stages as arguments the
experiment runs only what they need.
"""

import os
from collections.abc import Sequence
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from text2image.artifacts import ARTIFACTS
from text2image.base.console import InputError, Parser, one_line, say
from text2image.commands.pipeline.experiment import NAME, experiment, git, reference
from text2image.encoders.device import pick_device
from text2image.encoders.models.card import describe, licence_of
from text2image.encoders.models.load import copies_of_weights, load_model
from text2image.encoders.models.size import measure_size, require_memory
from text2image.encoders.throughput import QueryTime, Speed, measure_speeds, views_per_image, with_views
from text2image.evaluation.leaderboard import COLUMNS, MACHINE_COLUMNS, NUMBERS, add_times
from text2image.formats.files import write_text
from text2image.formats.tables import write_csv
from text2image.pages.leaderboard import markdown
from text2image.pages.report.files import open_files
from text2image.pages.timing import measure_model_queries
from text2image.params import Params, load_params

FOLDER = ARTIFACTS.reports


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


def find_models(names: Sequence[str], params: Params) -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
    """Return the cards of the models that can be had, and the reasons why others cannot.

    Weights are downloaded, if they have to be, once it is known that memory is likely to suffice.
    """
    cards, absent = {}, {}
    device = pick_device(params.runtime.device)
    for name in names:
        model = params.models[name]
        try:
            if size := measure_size(model):
                require_memory(name, size._asdict(), device, copies=1)
            card = describe(name, model)
            require_memory(name, card["size"], device, copies=copies_of_weights(card["files"]))
        except InputError as error:
            absent[name] = str(error)
            say(f"zoo: {error}")
        else:
            cards[name] = card
            say(f"zoo: {name} can be had")
    return cards, absent


def write_leaderboard(cards: dict[str, dict[str, Any]], absent: dict[str, str], params: Params) -> None:
    """Print and write the leaderboard of the experiment, with the speeds of the models measured here."""
    commit = git("rev-parse", reference())  # by its name DVC would take a branch of the same name for it
    with open_files(commit) as files:
        rows = files.csv(ARTIFACTS.plot("leaderboard"), COLUMNS, numbers=NUMBERS)
        comparison = files.json(ARTIFACTS.metrics("comparison"))
    if not rows:
        raise InputError(
            f"expected a leaderboard in the experiment {NAME}, found none; run the stage evaluate"
        )
    speeds, queries, n_images = list[Speed](), list[QueryTime](), int(rows[0]["n_images"])
    embed = params.embed.precision, params.embed.decode
    for name in dict.fromkeys(row["system"] for row in rows):
        say(f"zoo: measuring how fast {name} is")
        try:
            model = load_model(name, cards[name], params.runtime.device, *embed)
            views = views_per_image(ARTIFACTS.manifest, params.models[name].views)
            speeds += with_views(measure_speeds(name, model, params.runtime), views)
            kept = views if params.models[name].combine == "max" else 1.0
            queries.append(measure_model_queries(name, model, params, n_images, kept))
        except InputError as error:
            say(f"zoo: the speed of {name} is not known: {error}")
    made_of = {row["system"]: [row["system"]] for row in rows}
    rows = add_times(rows, made_of, comparison, speeds, queries)
    page = markdown(rows, {name: licence_of(params.models[name]) for name in made_of}, absent)
    columns = (*COLUMNS, *MACHINE_COLUMNS)
    write_csv(FOLDER / "leaderboard.csv", columns, ([row[name] for name in columns] for row in rows))
    write_text(FOLDER / "leaderboard.md", page)
    print(page)


def main(argv: Sequence[str]) -> None:
    parser = Parser(
        "t2i zoo", description="Compare the models of zoo.models in params.yaml on the same queries."
    )
    parser.add_argument("stages", nargs="*", help="stages to run, with what they need (default: all)")
    options, params = parser.parse_args(argv), load_params()
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
    write_leaderboard(cards, absent, params)
    say(
        f"zoo: written to {FOLDER}/; see `dvc exp show`, `dvc metrics diff HEAD {NAME}`, `dvc plots diff HEAD {NAME}`"
    )
