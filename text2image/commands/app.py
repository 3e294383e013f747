"""The search page: ``t2i app [--host 127.0.0.1] [--port N] [--by NAME] [--paid]``, or ``make app``.

Not a stage: it shows what the pipeline has embedded, under one system or two side by side, says why each
result is where it is, and keeps grades in data/judgements.csv, which the next ``dvc repro`` counts.
"""

import gc
from collections.abc import Sequence
from importlib.util import find_spec

from text2image.base.console import InputError, Parser, say
from text2image.commands.judge import MODEL, person
from text2image.params import load_params


def main(argv: Sequence[str]) -> None:
    parser = Parser("t2i app", description="Search the embedded images on a local page.")
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="where the page listens, and the name it answers to; others than the default let the network search and judge",
    )
    parser.add_argument("--port", type=int, default=0, help="port of the page (default: any that is free)")
    parser.add_argument("--by", help="your name, for judgements (default: judge.by, then git's user.name)")
    parser.add_argument(
        "--paid",
        action="store_true",
        help="let searches ask the paid vision model of systems that rerank by openai; budget_usd bounds each query, not all",
    )
    options, params = parser.parse_args(argv), load_params()
    if find_spec("gradio") is None:
        raise InputError(
            "expected the package gradio for the search page, found none: `make app` installs it, "
            "or pip install -e '.[app]' -c constraints.txt"
        )
    from text2image.pages.search.server import serve
    from text2image.pages.search.service import SearchService

    named = params.judge.by if options.by is None and params.judge.by != MODEL else options.by
    gc.disable()  # a collection walks over all that is known of the gallery: 0.7 s at 100,000 images
    service = SearchService(params, person(named), may_pay=options.paid)
    for sentence in service.outdated:
        say(f"app: {sentence}")
    gc.freeze()
    gc.enable()
    serve(service, options.host, options.port)
