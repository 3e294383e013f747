"""Stage ``throughput@MODEL``: how fast a model embeds on this machine; ``python -m stages.throughput MODEL``.

A measurement, not a result: it differs a little each time, so nothing but a chart depends on it. It is
made once a model; ``dvc repro -f throughput@MODEL`` makes it again, after a change of ``runtime:`` say.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from stages import run
from text2image.artifacts import ARTIFACTS
from text2image.base.console import say
from text2image.encoders.device import pick_device
from text2image.encoders.models.card import load_card
from text2image.encoders.models.load import load_model
from text2image.encoders.throughput import COLUMNS, measure
from text2image.formats.tables import write_csv
from text2image.params import Params


def main(params: Params, name: str) -> None:
    device = pick_device(params.runtime.device)
    model = load_model(name, load_card(ARTIFACTS.card(name)), device, params.embed.precision)
    with tempfile.TemporaryDirectory() as folder:
        rates = measure(model, device, params.runtime, Path(folder))
    rows = [(what, device.type, *(f"{value:.4g}" for value in rate)) for what, rate in rates.items()]
    write_csv(Path(f"data/throughput/{name}.csv"), COLUMNS, rows)
    say(f"throughput {name} on {device.type}: {rows[0][2]} images and {rows[1][2]} texts a second")


if __name__ == "__main__":
    run(main, "name")
