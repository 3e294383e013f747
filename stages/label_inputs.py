"""Stage ``label_inputs``: bring what a label source reads besides the images into one place.

DVC stages that are declared once for all sources must depend on the same kind of file for each, so
every source gets one: for ``human``, a checked copy of the CSV at ``label.human.path``; for sources
that need nothing but the images, an empty table. An edit of the CSV thus reruns ``label@human`` alone.
"""

from __future__ import annotations

from pathlib import Path

from stages import run
from text2image.formats.tables import write_csv
from text2image.labels.human.source import check_columns
from text2image.labels.protocol.source import SOURCES
from text2image.params import Params

FOLDER = Path("data/label_inputs")


def main(params: Params) -> None:
    for source in SOURCES:
        rows = check_columns(Path(params.label.human.path)) if source == "human" else []
        columns = list(rows[0]) if rows else ["path", "text"]
        write_csv(FOLDER / f"{source}.csv", columns, [list(row.values()) for row in rows])


if __name__ == "__main__":
    run(main)
