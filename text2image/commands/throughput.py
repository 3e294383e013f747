"""Measure how fast models embed on this machine: ``t2i throughput [MODEL…]``, or ``make throughput``.

A measurement, not a result: it differs a little each time, so it is no part of the pipeline. It goes to
report/throughput.csv, where ``t2i zoo`` looks for it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from text2image.artifacts import ARTIFACTS
from text2image.base.console import InputError, Parser, one_line, run, say
from text2image.encoders.device import pick_device
from text2image.encoders.models.card import describe
from text2image.encoders.models.load import load_model
from text2image.encoders.throughput import COLUMNS, measure
from text2image.formats.tables import Row, read_csv, write_csv
from text2image.params import Params, load_params


def read_speeds() -> list[Row]:
    """Return what was measured before: a row for each model and what it embeds."""
    path = ARTIFACTS.throughput
    return read_csv(path, ("model", *COLUMNS)) if path.exists() else []


def measure_model(name: str, params: Params) -> None:
    """Measure one model, and write its speeds in place of earlier ones.

    Raises:
        InputError: the model cannot be had or loaded.
    """
    device = pick_device(params.runtime.device)
    model = load_model(name, describe(name, params.models[name]), device, params.embed.precision)
    with tempfile.TemporaryDirectory() as folder:
        rates = measure(model, device, params.runtime, Path(folder))
    rows = [(name, what, device.type, *(f"{value:.4g}" for value in rate)) for what, rate in rates.items()]
    others = [tuple(row.values()) for row in read_speeds() if row["model"] != name]
    write_csv(ARTIFACTS.throughput, ("model", *COLUMNS), sorted([*others, *rows]))
    say(f"throughput {name} on {device.type}: {rows[0][3]} images and {rows[1][3]} texts a second")


def main(argv: Sequence[str] | None = None) -> None:
    parser = Parser("t2i throughput", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument(
        "models", nargs="*", metavar="MODEL", help="of models: in params.yaml (default: embed.models)"
    )
    options, params = parser.parse_args(argv), load_params()
    for name in options.models:
        if name not in params.models:
            raise InputError(
                f"expected names described under models: in params.yaml, found '{one_line(name)}'"
            )
    for name in options.models or params.embed.models:
        measure_model(name, params)


if __name__ == "__main__":
    run(main)
