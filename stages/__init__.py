"""The pipeline's stages, a thin module each: read what dvc.yaml declares, call the library, write the outputs.

``python -m stages.NAME [item]`` runs one by hand; DVC runs them in order.
"""

import os
import sys
from collections.abc import Callable
from functools import partial
from operator import attrgetter

from text2image.artifacts import ARTIFACTS
from text2image.base import console, library
from text2image.base.console import InputError, Parser, one_line, say
from text2image.base.processes import end_in_order_on_sigterm, end_with_parent, interrupt, one_at_a_time
from text2image.lockfile.inputs import Inputs
from text2image.lockfile.tidying import tidy

console.install_excepthook()  # what takes time to import comes after this

ITEMS = {
    "field": "retrieve.fields",
    "model": "embed.models",
    "name": "finetune.models",
    "source": "label.sources",
    "system": "retrieve.systems",
}
"""What a stage may be run for, and the params key that lists the names."""


def run(main: Callable[..., None], *items: str) -> None:
    """Run a stage's ``main(params, *items)``; the command line gives a name for each of ``items`` of ``ITEMS``."""
    names = parse(main, *items)

    def prepared() -> Callable[[], None]:
        from text2image.params import load_params

        params = load_params()
        for item, value in names.items():
            listed = attrgetter(ITEMS[item])(params)
            if value not in listed:
                raise InputError(
                    f"expected one of {', '.join(listed) or 'no name'} (params key {ITEMS[item]}), "
                    f"found '{one_line(value)}'"
                )
        return partial(main, params, *names.values())

    perform(main, prepared, *names.values())


def parse(main: Callable[..., None], *items: str) -> dict[str, str]:
    """Return what the command line gives for each of ``items`` of ``ITEMS``, for the stage that ``main`` is of."""
    parser = Parser(
        f"python -m stages.{_name_of(main)}",
        description=(sys.modules[main.__module__].__doc__ or "").split("\n\n")[0],
    )
    for item in items:
        parser.add_argument(item, help=f"one of {ITEMS[item]} in params.yaml")
    return vars(parser.parse_args())


def _name_of(main: Callable[..., None]) -> str:
    module = sys.modules[main.__module__]
    return (module.__spec__.name if module.__spec__ else main.__module__).rpartition(".")[2]


def perform(main: Callable[..., None], prepare: Callable[[], Callable[[], None]], *names: str) -> None:
    """Do the work of the stage that ``main`` is of, beside no other process that does it, on inputs that stay as they are.

    Args:
        prepare: reads parameters, and returns what does the work.
        names: what the stage runs for.
    """
    stage = "@".join(filter(None, [_name_of(main), "-".join(names)]))

    def guarded() -> None:
        with one_at_a_time(stage, ARTIFACTS.root):
            inputs = Inputs(stage, ARTIFACTS.root)  # before anything is read
            work = prepare()
            if changed := library.changed_parts():
                say(
                    f"the installed text2image is not the one that library/ records ({', '.join(changed)}); "
                    "`t2i init --update` reruns what depends on that"
                )
            tidy(stage)
            inputs.begin()
            work()
            inputs.check()

    if "DVC_STAGE" in os.environ:  # DVC runs it
        end_with_parent(interrupt)
    end_in_order_on_sigterm()
    console.run(guarded)
