"""Where the cut-outs lie, and what a folder of the sample holds."""

from pathlib import Path

from tests.support.pipeline import REPOSITORY
from text2image.artifacts import ARTIFACTS
from text2image.formats.tables import read_csv

CUTOUTS = REPOSITORY / ARTIFACTS.cutouts


def read_table(path: Path) -> list[dict[str, str]]:
    return read_csv(path, [])


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.glob("?/*")}
