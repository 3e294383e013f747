"""Stage ``label_inputs``: bring what a label source reads besides the images into one place.

DVC stages that are declared once for all sources must depend on the same kind of file for each, so every source in use
gets one: for ``human``, what the CSV at ``label.human.path`` says, read in whatever form spreadsheets wrote it; for
sources that need nothing but the images, an empty table. An edit of the CSV thus reruns ``label@human`` alone.
"""

import subprocess
from pathlib import Path

from stages import run
from text2image.artifacts import ARTIFACTS
from text2image.base.console import say
from text2image.formats.tables import write_csv
from text2image.labels.human.matching import below_folder
from text2image.labels.human.source import COLUMNS
from text2image.labels.human.table import read_captions
from text2image.params import Params


def main(params: Params) -> None:
    for source in dict.fromkeys([*params.label.sources, *params.retrieve.fields]):
        rows = []
        if source == "human":
            captions = read_captions(Path(params.label.human.path))
            rows = [(*row, below_folder(row.path, params.data.images)) for row in captions.rows]
            for remark in [*captions.remarks, *git_remark(Path(params.label.human.path))]:
                say(f"label_inputs: {remark}")
        write_csv(ARTIFACTS.label_inputs(source), COLUMNS, rows)


def git_remark(path: Path) -> list[str]:
    """Say that git does not have the file, which an experiment in a copy of the repository then lacks.

    DVC would end it with "[Errno 2] No such file or directory" before the stage runs. A file that git ignores is
    one of DVC's, or left out on purpose.
    """
    command = ["git", "ls-files", "--others", "--exclude-standard", "--", str(path)]
    try:
        listed = subprocess.run(command, capture_output=True, check=False).stdout  # noqa: S603
    except OSError:  # there is no git on this machine
        return []
    if not listed:
        return []
    return [
        f"git does not have {path} (params key label.human.path): `git add {path}`, or `dvc exp run --temp` and "
        "`--queue`, which work in a copy of what git has, end with '[Errno 2] No such file or directory'"
    ]


if __name__ == "__main__":
    run(main)
