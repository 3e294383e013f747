"""dvc.yaml, dvc.lock and params.yaml as they are: every stage by name, with the paths and parameters that it declares."""

import re
from collections.abc import Callable, Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from text2image.artifacts import ARTIFACTS

PARAMS = "params.yaml"
FOLDERS = (Path(), ARTIFACTS.sample_params.parent)
"""Where a dvc.yaml and a dvc.lock may lie; the paths in both are relative to the project's root."""

FIGURES = ("metrics/", "plots/")
"""What paths of figures begin with."""

CODE = ("stages/", "text2image/", "library/")
"""What paths of code begin with."""

ABSENT = object()
"""The value of a parameter that there is not."""

ERRORS = (OSError, yaml.YAMLError, AttributeError, LookupError, TypeError, ValueError, RecursionError)
"""What reading a file raises that is missing, half-written or of another version."""

PathOf = Callable[[Path], Path | None]
"""Where a file of the project lies that has a relative path; None if there is none."""


class Stage(NamedTuple):
    """A stage as dvc.yaml defines it, with the names of its models and sources filled in.

    Attributes:
        deps: paths that it reads, code left out.
        outs: paths that it writes, metrics and plots included.
        metrics: those of ``outs`` that are metrics.
        params: ``{file: dotted keys}``.
        frozen: DVC is told never to run it.
        apart: another dvc.yaml than the project's own defines it, so that a plain `dvc repro` may leave it alone.
        code: paths of code that it depends on.
    """

    deps: list[str]
    outs: list[str]
    metrics: list[str]
    params: dict[str, list[str]]
    frozen: bool
    apart: bool
    code: list[str]


class Recorded(NamedTuple):
    """The stages that dvc.yaml defines, what dvc.lock says of their last runs, and the present ``{file: params}``."""

    defined: dict[str, Stage]
    locked: dict[str, Mapping[str, Any]]
    params: dict[str, Any]


def read_recorded(path_of: PathOf) -> Recorded | None:
    """Return what is recorded; None where nothing ran yet, or where it cannot be read."""
    read, locked = read_defined(path_of), dict[str, Mapping[str, Any]]()
    try:
        for folder in FOLDERS:
            lock = path_of(folder / "dvc.lock")
            if lock is not None or folder == FOLDERS[0]:
                locked.update(read_yaml(lock)["stages"])
    except ERRORS:
        return None  # DVC is writing
    if read is None:
        return None
    apart = path_of(FOLDERS[1] / "dvc.lock") is not None  # its stages ran
    return Recorded(
        {name: stage for name, stage in read[0].items() if apart or not stage.apart}, locked, read[1]
    )


def read_defined(path_of: PathOf) -> tuple[dict[str, Stage], dict[str, Any]] | None:
    """Return the stages by name and ``{file: params}``; None where they cannot be read, as in another version's project."""
    defined, params = dict[str, Stage](), dict[str, Any]()
    try:
        params[PARAMS] = read_yaml(path_of(Path(PARAMS)))
        for folder in FOLDERS:
            pipeline = path_of(folder / "dvc.yaml")
            for name, entry in (
                read_yaml(pipeline)["stages"].items() if pipeline or folder == FOLDERS[0] else ()
            ):
                defined.update(_instances(name, entry, params[PARAMS], folder != FOLDERS[0]))
        for stage in defined.values():
            for file in stage.params.keys() - params.keys():
                params[file] = read_yaml(path_of(Path(file)))
    except ERRORS:
        return None
    return defined, params


def read_yaml(path: Path | None) -> Any:
    """Return what a YAML file holds; raises one of ``ERRORS`` where that cannot be read."""
    if path is None:
        raise FileNotFoundError
    return yaml.load(path.read_text(encoding="utf-8"), getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506


def _instances(stage: str, entry: dict[str, Any], params: Any, apart: bool) -> Iterator[tuple[str, Stage]]:
    """Yield the name and definition of a stage of dvc.yaml, or of each that it makes of the names in params.yaml."""
    lists = {"item": entry["foreach"]} if "foreach" in entry else entry.get("matrix", {})
    keys = ["item" if key == "item" else f"item.{key}" for key in lists]
    definition = entry.get("do", entry)
    for names in product(*(value_of(params, names.strip("${}")) for names in lists.values())):
        items = dict(zip(keys, names, strict=True))

        def paths(kind: str, items: dict[str, str] = items) -> list[str]:
            return [_filled(_name_of(each), items, params) for each in definition.get(kind, ())]

        metrics, of_params = paths("metrics"), dict[str, list[str]]()
        for each in definition.get("params", ()):
            for file, keys_of_file in (each if isinstance(each, dict) else {PARAMS: [each]}).items():
                of_params.setdefault(file, []).extend(_filled(key, items, params) for key in keys_of_file)
        yield (
            "@".join(filter(None, [stage, "-".join(names)])),
            Stage(
                [path for path in paths("deps") if not path.startswith(CODE)],
                [*paths("outs"), *metrics, *paths("plots")], metrics, of_params, bool(definition.get("frozen")), apart,
                [path for path in paths("deps") if path.startswith(CODE)],
            ),
        )  # fmt: skip


def _name_of(output: Any) -> str:
    return output if isinstance(output, str) else str(next(iter(output)))


def _filled(text: str, items: Mapping[str, str], params: Any) -> str:
    """Return a path or key of dvc.yaml with its ``${…}`` filled in."""
    return re.sub(
        r"\$\{([^}]+)\}", lambda m: str(items[m[1]] if m[1] in items else value_of(params, m[1])), text
    )


def value_of(params: Any, key: str) -> Any:
    """Return a parameter by its dotted key; ``ABSENT`` if there is none."""
    for part in key.split("."):
        params = params.get(part, ABSENT) if isinstance(params, Mapping) else ABSENT
    return params
