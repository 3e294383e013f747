"""Links to what lies elsewhere on this machine, so that DVC sees it by a path in the project."""

import os
from pathlib import Path


def link(path: Path, target: Path) -> None:
    """Make ``path`` a symbolic link to a folder or file; a relative target is one of the working directory."""
    path.parent.mkdir(parents=True, exist_ok=True)
    relative = os.path.relpath(target.absolute(), path.parent.resolve())
    path.symlink_to(target if target.is_absolute() else relative, target_is_directory=target.is_dir())


def link_files(path: Path, folder: Path) -> None:
    """Make a folder at ``path`` with a link to each file of ``folder``, in the same sub-folders, hidden ones left out.

    DVC does not follow links to folders that lie inside a folder.
    """
    for file in sorted(folder.rglob("*")):
        inside = file.relative_to(folder)
        if file.is_file() and not any(part.startswith(".") for part in inside.parts):
            link(path / inside, file)
