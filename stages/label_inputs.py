"""Stage ``label_inputs``: bring what a label source reads besides the images into one place.

DVC stages that are declared once for all sources must depend on the same kind of file for each, so
every source in use gets one: for ``human``, a checked copy of the CSV at ``label.human.path``; for sources
that need nothing but the images, an empty table. An edit of the CSV thus reruns ``label@human`` alone.
"""

from pathlib import Path

from stages import run
from text2image.artifacts import ARTIFACTS
from text2image.formats.tables import write_csv
from text2image.labels.human.source import read_table
from text2image.params import Params


def main(params: Params) -> None:
    for source in params.label.sources:
        rows = read_table(Path(params.label.human.path)) if source == "human" else []
        columns = list(rows[0]) if rows else ["path", "text"]
        write_csv(ARTIFACTS.label_inputs(source), columns, [list(row.values()) for row in rows])


if __name__ == "__main__":
    run(main)
