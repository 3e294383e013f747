"""Make a new project for one's own images, or bring one up to date: ``t2i init DIR``, ``t2i init --update [DIR]``.

A project is a folder with the pipeline, its params and its stages, under git and DVC. After an upgrade of this
package, ``--update`` renews the pipeline, the stages and what is recorded of the library; params stay as they are.
"""

from __future__ import annotations

import subprocess
import sys
from argparse import Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path

from text2image.base.console import InputError, Parser, one_line, run, say
from text2image.base.library import FOLDER, digest, record_of
from text2image.commands import template
from text2image.formats.files import keep_only, write_text
from text2image.pages.charts.files import write_plot_files

HINT = "put images into data/images, or name their folder in params.yaml, and run `dvc repro`"


def arguments(argv: Sequence[str] | None) -> Namespace:
    """Read the command line."""
    parser = Parser("t2i init", description=(__doc__ or "").split("\n\n")[1])
    parser.add_argument(
        "folder", type=Path, nargs="?", metavar="DIR", help="where the project is to be, or is"
    )
    parser.add_argument("--update", action="store_true", help="bring the project (default: here) up to date")
    options = parser.parse_args(argv)
    if options.folder is None and not options.update:
        parser.error("expected a folder for the new project")
    return options


def command(*words: str, folder: Path) -> str | None:
    """Return what a command prints in ``folder``; None where it fails, or is not there."""
    try:
        done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)  # noqa: S603
    except FileNotFoundError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def is_project(folder: Path) -> bool:
    """Return whether ``t2i init`` made the project in ``folder``."""
    return (folder / "dvc.yaml").is_file() and (folder / FOLDER).is_dir()


def create(folder: Path) -> None:
    """Make a project in a folder that is empty, absent or a new git repository.

    Raises:
        InputError: the folder holds other things, or git or DVC fail.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError(f"expected a folder at {one_line(folder)}, found a file")
    others = [path.name for path in folder.iterdir() if path.name != ".git"] if folder.exists() else []
    if is_project(folder):
        raise InputError(f"expected an empty folder, found a project; `t2i init --update {folder}` renews it")
    if others:
        raise InputError(
            f"expected an empty folder at {one_line(folder)}, found {one_line(min(others))} in it"
        )
    folder.mkdir(parents=True, exist_ok=True)
    start_repository(folder)
    (folder / template.IMAGES).mkdir(parents=True)
    texts = template.contents()
    for name, text in texts.items():
        write_text(folder / name, text)
    write_what_follows(folder, texts["dvc.yaml"])
    say(f"init: a project in {folder}; {HINT}")


def start_repository(folder: Path) -> None:
    """Put a folder under git and DVC; inside a larger git repository, DVC's is a part of it."""
    top = command("git", "rev-parse", "--show-toplevel", folder=folder)
    inside = top is not None and Path(top) != folder.resolve()
    if top is None and command("git", "init", "-q", folder=folder) is None:
        raise InputError(f"expected `git init` to work in {one_line(folder)}, found that it fails")
    options = ["--subdir"] if inside else []
    if command(sys.executable, "-m", "dvc", "init", "-q", *options, folder=folder) is None:
        raise InputError(f"expected `dvc init` to work in {one_line(folder)}, found that it fails")


def update(folder: Path) -> None:
    """Renew what belongs to the version of the library.

    Raises:
        InputError: the folder holds no project, or somebody's changes that git does not have would be lost.
    """
    if not is_project(folder):
        raise InputError(f"expected a project of `t2i init` at {one_line(folder)}, found none")
    texts = template.contents()
    renewed = {name: text for name, text in texts.items() if name.startswith(template.RENEWED)}
    refuse_to_lose(folder, renewed)
    for name, text in renewed.items():
        write_text(folder / name, text)
    write_what_follows(folder, texts["dvc.yaml"])
    say(f"init: {folder} is up to date; `git diff` shows what changed, `dvc repro` runs what depends on it")


def refuse_to_lose(folder: Path, renewed: Mapping[str, str]) -> None:
    """Refuse to write over changes that are not committed."""
    differing = [
        name
        for name, text in renewed.items()
        if (folder / name).is_file() and (folder / name).read_text(encoding="utf-8") != text
    ]
    if differing and command("git", "status", "--porcelain", "--", *differing, folder=folder) != "":
        raise InputError(
            f"expected {', '.join(differing)} to be committed, as --update writes them anew, found changes"
        )


def write_what_follows(folder: Path, pipeline: str) -> None:
    """Write what `dvc plots` draws with, and the digests of the parts of the library that the pipeline depends on."""
    write_plot_files(folder / ".dvc")
    digests = {folder / record_of(part): digest(part) for part in sorted(template.parts(pipeline))}
    for path, known in digests.items():
        write_text(path, f"{known}\n")
    keep_only(folder / FOLDER, digests)


def main(argv: Sequence[str] | None = None) -> None:
    options = arguments(argv)
    if options.update:
        update(options.folder or Path())
    else:
        create(options.folder)


if __name__ == "__main__":
    run(main)
