"""Stage builtin_model: the open_clip model that needs no download, in data/models/builtin."""

from __future__ import annotations

import shutil
from pathlib import Path

from stages import run
from text2image.base.console import say
from text2image.encoders.builtin.assemble import assemble
from text2image.params import Params

MODEL = Path("data/models/builtin")


def main(params: Params) -> None:
    build(MODEL)
    say(f"wrote the open_clip model local-dir:{MODEL}")


def build(directory: Path) -> None:
    """Assemble the model beside ``directory`` and move it there when it is whole."""
    unfinished = directory.with_name(f"{directory.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    assemble(unfinished)
    if directory.exists():
        shutil.rmtree(directory)
    unfinished.replace(directory)


if __name__ == "__main__":
    run(main)
