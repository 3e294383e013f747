"""What a stage takes away before anything else: outputs of names that are no longer listed, figures that are out of date."""

import shutil
from pathlib import Path

from text2image.artifacts import ARTIFACTS
from text2image.formats.files import remove_drafts
from text2image.lockfile.outdated import digests, find_out_of_date
from text2image.lockfile.reading import FIGURES, Recorded, read_defined, read_recorded

COSTLY = ("label", "embed_queries", "finetune")
"""Stages that may take money, a download or days: what they wrote is taken away only where DVC reruns them anyway."""


def tidy(running: str, root: Path = ARTIFACTS.root) -> None:
    """Tidy up a project; every stage does it, so that none tidies up for another.

    Args:
        running: the name of the stage that runs.
        root: of the project.
    """
    forget_drafts(running, root)
    recorded = read_recorded(lambda path: root / path if (root / path).is_file() else None)
    if recorded is not None:  # otherwise nothing ran yet, or DVC is writing
        forget_unlisted(recorded, root)
        forget_figures(recorded, running, root)


def forget_drafts(running: str, root: Path) -> None:
    """Remove what a kill left, beside the outputs of the stage that runs, of files that were being written."""
    read = read_defined(lambda path: root / path if (root / path).is_file() else None)
    outs = read[0][running].outs if read is not None and running in read[0] else []
    for folder in {(root / out).parent for out in outs}:
        remove_drafts(folder)


def forget_unlisted(recorded: Recorded, root: Path) -> None:
    """Remove what stages wrote for models and sources that params.yaml no longer lists, as dvc.lock remembers it.

    Stages over all of them depend on whole folders, where leftovers would make them look changed. Nothing else is touched:
    what is removed is an output that DVC recorded and that no stage writes any more. List the name again and DVC
    brings it back. Models that fine-tuning made stay, since they may have taken days.
    """
    written = {Path(out) for stage in recorded.defined.values() for out in stage.outs}
    for name, entry in recorded.locked.items():
        if "@" in name and name not in recorded.defined and not name.startswith("finetune@"):
            for path in (Path(out["path"]) for out in entry.get("outs", ())):
                if not any(path == out or path in out.parents or out in path.parents for out in written):
                    _remove(root / path)


def forget_figures(recorded: Recorded, running: str, root: Path) -> None:
    """Remove metrics and plots that do not belong to the present images, queries and parameters.

    Otherwise `dvc metrics show` would show them beside new ones after a run that fails before it makes them anew.
    DVC makes what is gone again, from its cache where the inputs turn out to be the same.
    """
    digest = digests(lambda path: root / path)
    for name, why in find_out_of_date(recorded, digest, running).items():
        stage = recorded.defined[name]
        if not stage.frozen and (why.own or name.partition("@")[0] not in COSTLY):
            for out in stage.outs:
                if out.startswith(FIGURES):
                    _remove(root / out)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
