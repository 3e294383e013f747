"""What a revision holds: the files that git and DVC's cache have for it, or those of the working tree."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

from text2image.artifacts import ARTIFACTS
from text2image.base.console import InputError, one_line
from text2image.base.settings import load_yaml
from text2image.encoders.throughput import QueryTime, Speed, read_query_times, read_speeds
from text2image.evaluation.leaderboard import COLUMNS, NUMBERS
from text2image.formats.tables import WHOLE_NUMBER, Row
from text2image.pages.report.files import WORKSPACE, Files, open_files
from text2image.params import NAME_PATTERN, PARAMS_FILE
from text2image.queries.asked import LeftOutSource

HELD = " and ".join(ARTIFACTS.metrics(name).as_posix() for name in ("metrics", "dataset"))


class Key(NamedTuple):
    """A system and the label source that it was measured on."""

    system: str
    source: str


@dataclass
class Revision:
    """One revision, read. What it lacks is empty here, and named in ``missing``.

    Attributes:
        name: as it was asked for.
        commit: which commit that is, and of which day; for the working tree, the one that it stands on.
        params: params.yaml as it is; another revision may hold other sections than this code knows.
        dataset, metrics, labels, comparison, sources, judgements: of the folder metrics.
        results: a row a query for each system and source, as in data/results.
        outdated: what it has that belongs to other images, queries or parameters and is not shown, a sentence each.
        why_outdated: says so of a file; "" if it is not out of date.
        left_out_sources: ``{source: why nothing is asked of it}``; of revisions before there was such a file, none.
        readings: by ``(model, source)``, for the models of ``embed.models``, how many queries the model does not read as they are.
        without_label, left_out: for each source, ``{reason: images}`` and ``{reason: queries}``.
        leaderboard: the rows of plots/leaderboard.csv; none of versions whose columns were others.
        speeds, query_times: what was measured on this machine; of the working tree alone.
        remarks: for each source, sentences on what to know of its texts.
    """

    name: str
    commit: str = ""
    params: dict[str, Any] = field(default_factory=dict)
    dataset: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    labels: dict[str, Any] = field(default_factory=dict)
    comparison: dict[str, Any] = field(default_factory=dict)
    sources: dict[str, Any] = field(default_factory=dict)
    judgements: dict[str, Any] = field(default_factory=dict)
    results: dict[Key, list[Row]] = field(default_factory=dict)
    outdated: list[str] = field(default_factory=list)
    why_outdated: Callable[[Path], str] = lambda path: ""
    left_out_sources: dict[str, str] = field(default_factory=dict)
    readings: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    without_label: dict[str, dict[str, int]] = field(default_factory=dict)
    remarks: dict[str, list[str]] = field(default_factory=dict)
    left_out: dict[str, dict[str, int]] = field(default_factory=dict)
    leaderboard: list[Row] = field(default_factory=list)
    speeds: list[Speed] = field(default_factory=list)
    query_times: list[QueryTime] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)

    @property
    def keys(self) -> list[Key]:
        """Every system and source that was measured, by source: systems on the same labels compare."""
        keys = [Key(system, source) for system, sources in self.metrics.items() for source in sources]
        order = list(dict.fromkeys(key.source for key in keys))
        return sorted(keys, key=lambda key: order.index(key.source))

    def row(self, key: Key) -> Mapping[str, Any]:
        """Return the measures of a system on a source; empty if they are not there."""
        row = self.metrics.get(key.system, {}).get(key.source)
        return row if isinstance(row, dict) else {}

    def param(self, path: str, otherwise: Any = None) -> Any:
        """Return a parameter by its dotted path."""
        value: Any = self.params
        for part in path.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        return otherwise if value is None else value

    def listed(self, path: str) -> list[Any]:
        """Return a parameter that is a list by its dotted path; empty if it is none."""
        value = self.param(path)
        return value if isinstance(value, list) else []

    def evaluate(self) -> tuple[list[int], int, int]:
        """Return k, resamples and seed of this revision, so that its comparison with another uses the same.

        Raises:
            InputError: its params.yaml does not say.
        """
        ks, resamples, seed = (self.param(f"evaluate.{key}") for key in ("k", "resamples", "seed"))
        whole = [*ks, resamples] if isinstance(ks, list) and ks else [None]
        if not (all(isinstance(n, int) and n >= 1 for n in whole) and isinstance(seed, int)):
            raise InputError(
                f"expected evaluate.k, evaluate.resamples and evaluate.seed in params.yaml of {self.name}, "
                f"found {one_line(self.param('evaluate'))}"
            )
        return sorted(set(ks)), resamples, seed


def parse(text: str) -> list[str]:
    """Return the revisions named by ``REV`` or ``REV_A..REV_B``.

    Raises:
        InputError: neither form, or the same revision twice.
    """
    names = text.split("..")
    if len(names) > 2 or "" in names or any(name.startswith(".") for name in names):
        raise InputError(
            f"expected a revision or REV_A..REV_B ({WORKSPACE} is the working tree), found {one_line(text)!r}"
        )
    if len(set(names)) != len(names):
        raise InputError(f"expected two different revisions, found {one_line(text)!r}")
    return names


def read_revisions(names: Sequence[str]) -> list[Revision]:
    """Read revisions of the repository in the current folder.

    Raises:
        InputError: no DVC repository here, an unknown revision, one without results, or a damaged file.
    """
    revisions = []
    for name, commit in zip(names, _commits(names), strict=True):
        with open_files(name) as files:
            revision = _read(Revision(name, commit), files)
        if not revision.dataset and not revision.metrics:
            why = "; ".join(revision.outdated) or f"neither of {HELD} (run `dvc repro` first)"
            raise InputError(f"expected results in {name}, found: {why}")
        revisions.append(revision)
    return revisions


def _commits(names: Sequence[str]) -> list[str]:
    from dvc.exceptions import NotDvcRepoError
    from dvc.repo import Repo

    try:
        repo = Repo(".")
    except NotDvcRepoError:
        raise InputError("expected a DVC repository in this folder, found none") from None
    with repo:
        if Path(repo.root_dir).resolve() != Path.cwd().resolve():
            raise InputError(f"expected to run in the repository's root {repo.root_dir}, found {Path.cwd()}")
        return [_commit(repo.scm, name) for name in names]


def _commit(scm: Any, name: str) -> str:
    """Say which commit a revision is; nothing for a working tree without a commit or without git."""
    from dvc.scm import NoSCM, RevError, resolve_rev

    here = name == WORKSPACE
    try:
        if isinstance(scm, NoSCM):
            raise RevError("no git")
        commit = scm.resolve_commit(resolve_rev(scm, "HEAD" if here else name))
    except RevError:
        if here:
            return ""
        raise InputError(f"expected a revision that git or DVC knows, found {one_line(name)!r}") from None
    day = datetime.fromtimestamp(commit.commit_time, UTC).date()
    changed = here and scm.is_dirty(untracked_files=False)
    return f"{commit.hexsha[:7]} of {day}{', with changes since' if changed else ''}"


def _read(revision: Revision, files: Files) -> Revision:
    revision.outdated, revision.why_outdated = files.outdated.sentences(), files.outdated.why
    revision.params = _read_params(files.path(PARAMS_FILE), revision.name)
    for name in ("dataset", "metrics", "labels", "comparison", "sources", "judgements"):
        setattr(revision, name, files.json(ARTIFACTS.metrics(name)))
    revision.metrics = {system: row for system, row in revision.metrics.items() if isinstance(row, dict)}
    columns, whole = (
        ["query_id", "text", "best_rank", "cluster"],
        {"best_rank": WHOLE_NUMBER, "cluster": WHOLE_NUMBER},
    )
    for key in filter(_is_named, revision.keys):
        revision.results[key] = files.csv(ARTIFACTS.results(*key), columns, numbers=whole)
    revision.leaderboard = files.csv(
        ARTIFACTS.plot("leaderboard"), ["source"], optional=True, numbers=NUMBERS
    )
    if any(not set(COLUMNS) <= row.keys() for row in revision.leaderboard):
        revision.leaderboard = []
    if revision.name == WORKSPACE:
        revision.speeds = read_speeds(ARTIFACTS.throughput)
        revision.query_times = read_query_times(ARTIFACTS.query_times)
    sources = dict.fromkeys(key.source for key in revision.results)
    for pair in product(filter(_is_name, revision.listed("embed.models")), sources):
        revision.readings[pair] = files.json(ARTIFACTS.reading_metrics(*pair), optional=True)
    unasked = files.csv(ARTIFACTS.left_out_sources, LeftOutSource._fields, optional=True)
    revision.left_out_sources = {
        row["source"]: row["reason"] for row in unasked if NAME_PATTERN.fullmatch(row["source"])
    }
    for source in dict.fromkeys([*sources, *revision.left_out_sources]):
        about = files.json(ARTIFACTS.label_metrics(source))
        without, remarks = about.get("without_label"), about.get("remarks")
        revision.without_label[source] = without if isinstance(without, dict) else {}
        revision.remarks[source] = [str(one) for one in remarks] if isinstance(remarks, list) else []
        reasons = files.csv(ARTIFACTS.left_out(source), ["reason"])
        revision.left_out[source] = dict(Counter(row["reason"] for row in reasons))
    revision.missing = files.missing
    return revision


def _read_params(path: Path | None, name: str) -> dict[str, Any]:
    try:
        params = load_yaml(path.read_text(encoding="utf-8")) if path else {}
    except ValueError as error:
        raise InputError(f"expected YAML in params.yaml of {name}, found: {one_line(error)}") from None
    return params if isinstance(params, dict) else {}


def _is_named(key: Key) -> bool:
    """Return whether the names can be parts of a path: metrics.json of a revision could hold anything."""
    return all(map(_is_name, key))


def _is_name(name: object) -> bool:
    return isinstance(name, str) and NAME_PATTERN.fullmatch(name) is not None
