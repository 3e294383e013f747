"""What whoever shows figures asks first: do they belong to the present images, queries and parameters?"""

from collections.abc import Collection, Mapping
from pathlib import Path

from text2image.base.console import InputError, one_line
from text2image.lockfile.outdated import OutOfDate, digests, find_out_of_date
from text2image.lockfile.reading import FIGURES, PathOf, read_recorded

SHOWN = 3
"""Reasons that are said; the rest is counted."""


class Outdated:
    """The results of a project, or of a revision of it, that are out of date.

    Args:
        path_of: where a file lies; default: in the working directory.
        apart_from: files that may have changed, such as judgements while people judge.
    """

    def __init__(self, path_of: PathOf = lambda path: path, apart_from: Collection[Path] = ()) -> None:
        def inside(path: Path) -> Path | None:
            found = None if path.is_absolute() or ".." in path.parts else path_of(path)
            return found if found is not None and found.is_file() else None

        recorded, digest = read_recorded(inside), digests(inside)
        ignored = {path.as_posix() for path in apart_from}
        self.stages: Mapping[str, OutOfDate] = {}
        self._outs: dict[str, list[str]] = {}
        self._apart: set[str] = set()
        if recorded is not None:
            self.stages = find_out_of_date(recorded, lambda name: None if name in ignored else digest(name))
            self._apart = {name for name in self.stages if recorded.defined[name].apart}
            self._outs = {name: recorded.defined[name].outs for name in self.stages}

    def why(self, path: Path) -> str:
        """Say why a file or folder is out of date; "" if it is not."""
        name = path.as_posix()
        for stage, outs in self._outs.items():
            if any(f"{name}/".startswith(f"{out}/") for out in outs):
                return _said(self.stages[stage])
        return ""

    def sentences(self) -> list[str]:
        """Return which stages' figures are out of date and since when, a sentence for all with the same reasons."""
        stages: dict[str, dict[str, None]] = {}
        for name, why in self.stages.items():
            if name in self._apart or not any(out.startswith(FIGURES) for out in self._outs[name]):
                continue
            stages.setdefault(_said(why), {})[name] = None
        return [
            f"What {_listed([one_line(name) for name in names])} wrote is out of date, since {why}; "
            "`dvc repro` makes it anew"
            for why, names in stages.items()
        ]


def _said(why: OutOfDate) -> str:
    reasons = [one_line(reason) for reason in why.reasons]
    more = [f"{len(reasons) - SHOWN} more"] if len(reasons) > SHOWN else []
    return _listed([*reasons[:SHOWN], *more])


def _listed(names: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def check_current(*paths: Path, apart_from: Collection[Path] = ()) -> None:
    """Refuse files of the project that do not belong to the present images, queries and parameters.

    Raises:
        InputError: one of them is out of date.
    """
    outdated = Outdated(apart_from=apart_from)
    for path in paths:
        if why := outdated.why(path):
            raise InputError(
                f"expected {path} of the present images, queries and params.yaml, found one that is out of date, "
                f"since {why}; run `dvc repro`"
            )
