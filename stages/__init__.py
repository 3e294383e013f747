"""The pipeline's stages, a thin module each: read what dvc.yaml declares, call the library, write the outputs.

``python -m stages.NAME [item]`` runs one by hand; DVC runs them in order.
"""

import sys
from collections.abc import Callable
from operator import attrgetter

from text2image.base import console, library
from text2image.base.console import InputError, Parser, one_line, say
from text2image.lockfile.tidying import tidy
from text2image.params import load_params

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
    module = sys.modules[main.__module__]
    name = f"stages.{(module.__spec__.name if module.__spec__ else main.__module__).rpartition('.')[2]}"
    parser = Parser(f"python -m {name}", description=(module.__doc__ or "").split("\n\n")[0])
    for item in items:
        parser.add_argument(item, help=f"one of {ITEMS[item]} in params.yaml")
    options = parser.parse_args()

    def checked() -> None:
        params = load_params()
        for item, value in vars(options).items():
            names = attrgetter(ITEMS[item])(params)
            if value not in names:
                raise InputError(
                    f"expected one of {', '.join(names) or 'no name'} (params key {ITEMS[item]}), "
                    f"found '{one_line(value)}'"
                )
        if changed := library.changed_parts():
            say(
                f"the installed text2image is not the one that library/ records ({', '.join(changed)}); "
                "`t2i init --update` reruns what depends on that"
            )
        tidy("@".join(filter(None, [name.removeprefix("stages."), "-".join(vars(options).values())])))
        main(params, *vars(options).values())

    console.run(checked)
