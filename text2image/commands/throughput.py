"""Measure how fast models embed on this machine, images and texts: ``t2i throughput [MODEL…]``.

A measurement, not a result: it differs a little each time, so nothing of the pipeline depends on it. The work is
the same on every machine and for every collection.
"""

from collections.abc import Sequence

from text2image.artifacts import ARTIFACTS
from text2image.base.console import InputError, Parser, one_line, say
from text2image.encoders.throughput import Speed, measure_speeds
from text2image.formats.tables import read_csv, write_csv
from text2image.params import load_params


def keep(model: str, speeds: Sequence[Speed]) -> None:
    """Write the speeds of a model into report/throughput.csv, in place of its earlier ones."""
    path = ARTIFACTS.throughput
    before = [Speed(*row.values()) for row in read_csv(path, Speed._fields)] if path.exists() else []
    others = [speed for speed in before if speed.name != model]
    write_csv(path, Speed._fields, sorted([*others, *speeds]))


def main(argv: Sequence[str]) -> None:
    from text2image.encoders.models.card import describe  # it takes seconds to import

    parser = Parser(
        "t2i throughput", description=f"Measure how fast models embed; writes {ARTIFACTS.throughput}."
    )
    parser.add_argument(
        "models", nargs="*", metavar="MODEL", help="of models: in params.yaml (default: embed.models)"
    )
    names = parser.parse_args(argv).models
    params = load_params()
    for name in names:
        if name not in params.models:
            raise InputError(
                f"expected names described under models: in params.yaml, found '{one_line(name)}'"
            )
    for name in names or params.embed.models:
        card = describe(name, params.models[name])
        speeds = measure_speeds(name, card, params.embed.precision, params.runtime)
        keep(name, speeds)
        rates = " and ".join(f"{speed.per_second} {speed.what}" for speed in speeds)
        say(f"throughput {name} on {speeds[0].device}: {rates} a second")
