"""The files of a revision, from git and from DVC's cache alike, or those of the working tree."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from text2image.base.console import InputError, one_line
from text2image.formats.tables import Number, Row, read_csv
from text2image.lockfile.checks import Outdated

WORKSPACE = "workspace"


class Files:
    """The files of one revision, copied to ``folder`` when they are asked for.

    Attributes:
        missing: the files that were asked for and are not there.
        outdated: what does not belong to the revision's images, queries and parameters, and is held back.
    """

    def __init__(self, fs: Any, folder: Path) -> None:
        self.fs, self.folder, self.missing = fs, folder, list[str]()
        self.outdated = Outdated(lambda file: None if self._reason(file) else self.folder / file)

    def path(self, file: Path, optional: bool = False) -> Path | None:
        """Return where the file lies that the project has at a relative path; None if it is out of date or not there.

        Unless it is ``optional``, a word in ``missing`` then says that it is not there.
        """
        if self.outdated.why(file):
            return None
        reason = self._reason(file)
        if reason and not optional:
            self.missing.append(f"{file.as_posix()} ({reason})")
        return None if reason else self.folder / file

    def _reason(self, file: Path) -> str:
        """Return why a file cannot be had; "" if it lies in the folder."""
        path = self.folder / file
        return self._copy(file.as_posix(), path) if self.fs else "" if path.is_file() else "not there"

    def _copy(self, name: str, path: Path) -> str:
        """Copy a file of the revision to ``path``; return why that cannot be."""
        from dvc.exceptions import DvcException
        from dvc_data.index import DataIndexError

        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self.fs.get_file(name, str(path))
        except (OSError, DvcException, DataIndexError) as error:
            path.unlink(missing_ok=True)
            gone = isinstance(error, FileNotFoundError) and not self.fs.exists(name)
            return "not there" if gone else "not in DVC's cache"
        return ""

    def json(self, file: Path, optional: bool = False) -> dict[str, Any]:
        """Return a JSON object; empty if the file is missing, without a word if it is ``optional``."""
        path = self.path(file, optional)
        if path is None:
            return {}
        try:
            value = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise InputError(f"expected JSON in {file.as_posix()}, found: {one_line(error)}") from None
        return value if isinstance(value, dict) else {}

    def csv(
        self,
        file: Path,
        columns: Sequence[str],
        optional: bool = False,
        numbers: Mapping[str, Number] | None = None,
    ) -> list[Row]:
        """Return the rows of a CSV; none if the file is missing, without a word if it is ``optional``.

        ``numbers`` says what columns of numbers hold, as for :func:`text2image.formats.tables.read_csv`.
        """
        path = self.path(file, optional)
        return [] if path is None else read_csv(path, columns, numbers=numbers)


@contextmanager
def open_files(name: str) -> Iterator[Files]:
    """Yield the files of a revision that exists, or of the working tree."""
    if name == WORKSPACE:
        yield Files(None, Path())
        return
    from dvc.api import DVCFileSystem

    with TemporaryDirectory() as folder:
        yield Files(DVCFileSystem(".", rev=name), Path(folder))
