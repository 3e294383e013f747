"""The pipeline's stages, a thin module each: read what dvc.yaml declares, call the library, write the outputs.

``python -m stages.NAME [item]`` runs one by hand; DVC runs them in order.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from text2image.artifacts import forget_unlisted
from text2image.base import console, library
from text2image.base.console import InputError, Parser, one_line, say
from text2image.params import Params, load_params

ITEMS: dict[str, tuple[str, Callable[[Params], Sequence[str]]]] = {
    "model": ("embed.models", lambda params: params.embed.models),
    "source": ("label.sources", lambda params: params.label.sources),
    "name": ("finetune.models", lambda params: params.finetune.models),
}
"""What a stage may be run for: the params key that lists the names, and how to read it."""


def run(main: Callable[..., None], *items: str) -> None:
    """Run a stage's ``main(params, *items)``; the command line names an item for each of ``items``.

    Args:
        main: the stage.
        items: of ``ITEMS``, in the order of the command line.
    """
    module = sys.modules[main.__module__]
    name = f"stages.{(module.__spec__.name if module.__spec__ else main.__module__).rpartition('.')[2]}"
    parser = Parser(f"python -m {name}", description=(module.__doc__ or "").split("\n\n")[0])
    for item in items:
        parser.add_argument(item, help=f"one of {ITEMS[item][0]} in params.yaml")
    options = parser.parse_args()

    def checked() -> None:
        params = load_params()
        given = [getattr(options, item) for item in items]
        for item, value in zip(items, given, strict=True):
            key, listed = ITEMS[item]
            if value not in listed(params):
                raise InputError(
                    f"expected one of {', '.join(listed(params)) or 'no name'} (params key {key}), "
                    f"found '{one_line(value)}'"
                )
        if changed := library.changed_parts():
            say(
                f"the installed text2image is not the one that library/ records ({', '.join(changed)}); "
                "`t2i init --update` reruns what depends on that"
            )
        forget_unlisted(params)
        main(params, *given)

    console.run(checked)
