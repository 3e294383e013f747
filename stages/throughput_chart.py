"""Stage ``throughput_chart``: the measured speeds of all models in one table, for ``dvc plots``."""

from __future__ import annotations

from pathlib import Path

from stages.io.console import run
from stages.io.params import load_params
from stages.io.tables import read_csv, write_csv
from stages.io.throughput import COLUMNS


def main() -> None:
    rows = [
        (model, *(row[column] for column in COLUMNS))
        for model in load_params().embed.models
        for row in read_csv(Path(f"data/throughput/{model}.csv"), COLUMNS)
    ]
    write_csv(Path("plots/throughput.csv"), ("model", *COLUMNS), rows)


if __name__ == "__main__":
    run(main)
