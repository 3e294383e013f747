"""Make a new project for one's own images, or bring one up to date: ``t2i init DIR``, ``t2i init --update [DIR]``.

A project is a folder with the pipeline, its params and its stages, under git and DVC. After an upgrade of this
package, `--update` renews the pipeline, the stages and what is recorded of the library; params stay as they are.
"""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from text2image.base.console import InputError, Parser, one_line, say
from text2image.base.library import FOLDER, digest, record_of
from text2image.commands import template
from text2image.formats.files import keep_only, write_text
from text2image.pages.charts.files import write_plot_files


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
    write(folder, template.contents())
    say(
        f"init: a project in {folder}; put images into data/images and run `dvc add data/images`, or name "
        "their folder in params.yaml; run `dvc repro`, and commit all with git, which experiments start from"
    )


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
    texts = {name: t for name, t in template.contents().items() if name.startswith(template.RENEWED)}
    old = {name: (folder / name).read_text(encoding="utf-8") for name in texts if (folder / name).is_file()}
    changed = [name for name, text in old.items() if text != texts[name]]
    if changed and command("git", "status", "--porcelain", "--", *changed, folder=folder) != "":
        raise InputError(
            f"expected {', '.join(changed)} to be committed, as --update writes them anew, found changes"
        )
    write(folder, texts)
    say(f"init: {folder} is up to date; `git diff` shows what changed, `dvc repro` runs what depends on it")


def write(folder: Path, texts: Mapping[str, str]) -> None:
    """Write files, what `dvc plots` draws with, and the digests of the library's parts that dvc.yaml depends on."""
    write_plot_files(folder / ".dvc")
    records = {record_of(part).as_posix(): f"{digest(part)}\n" for part in template.parts(texts["dvc.yaml"])}
    for name, text in {**texts, **records}.items():
        write_text(folder / name, text)
    keep_only(folder / FOLDER, [folder / name for name in records])


def main(argv: Sequence[str]) -> None:
    parser = Parser("t2i init", description=(__doc__ or "").split("\n\n")[1])
    parser.add_argument(
        "folder", type=Path, nargs="?", metavar="DIR", help="where the project is to be, or is"
    )
    parser.add_argument("--update", action="store_true", help="bring the project (default: here) up to date")
    options = parser.parse_args(argv)
    if options.update:
        update(options.folder or Path())
    elif options.folder is None:
        parser.error("expected a folder for the new project")
    else:
        create(options.folder)
