"""Stage ``throughput_chart``: the measured speeds of all models in one table, for ``dvc plots``."""

from __future__ import annotations

from pathlib import Path

from stages import run
from text2image.encoders.throughput import COLUMNS
from text2image.formats.tables import read_csv, write_csv
from text2image.params import Params


def main(params: Params) -> None:
    rows = [
        (model, *(row[column] for column in COLUMNS))
        for model in params.embed.models
        for row in read_csv(Path(f"data/throughput/{model}.csv"), COLUMNS)
    ]
    write_csv(Path("plots/throughput.csv"), ("model", *COLUMNS), rows)


if __name__ == "__main__":
    run(main)
