"""A stage reruns when its code changes: what dvc.yaml lists is compared with what the stage imports."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.project.test_directions import imports
from tests.support.pipeline import REPOSITORY
from text2image.labels.protocol.source import SOURCES

CANNOT_CHANGE_A_RESULT = {
    "stages/__init__.py": "starts a stage: reads the command line and params.yaml, tidies up, compares inputs, says errors",
    "text2image/__init__.py": "a docstring and a version",
    "text2image/artifacts.py": "where files lie: dvc.yaml declares it too, and a stage that wrote elsewhere would fail",
    "text2image/base": "says things, keeps results, shares work; what is kept is keyed by all that determines it",
    "text2image/cluster": "runs the same functions on other machines, as runtime.engine says",
    "text2image/lockfile": "takes away what belongs to other results; what a stage writes does not depend on it",
    "text2image/params.py": "bounds decide whether a run starts; the values that a stage reads are params of its own",
    "text2image/encoders/settings.py": "the form of params.yaml, as params.py",
    "text2image/finetuning/settings.py": "the form of params.yaml, as params.py",
}
"""Modules that no stage depends on, each with the reason."""


def module_file(name: str, root: Path) -> Path | None:
    """Return the file of a module of this repository, relative to its root; None for anything else."""
    base = root.joinpath(*name.split("."))
    for path in (base.with_suffix(".py"), base / "__init__.py"):
        if path.is_file():
            return path.relative_to(root)
    return None


def closure(start: Iterable[str], root: Path = REPOSITORY) -> set[Path]:
    """Return the files of this repository that some modules import, directly or not, lazily or not.

    What cannot change a result is not followed: it is there, what it imports is not. Package files that hold
    nothing but a docstring are left out.
    """
    files: set[Path] = set()
    todo = [path for name in start if (path := module_file(name, root))]
    while todo:
        path = todo.pop()
        if path in files:
            continue
        files.add(path)
        if covered(path, CANNOT_CHANGE_A_RESULT):
            continue
        packages = [".".join(path.parts[:end]) for end in range(1, len(path.parts))]
        names = [*imports(root / path), *packages]
        todo += [
            found
            for name in names
            if name.startswith(("text2image", "stages")) and (found := module_file(name, root))
        ]
    return {path for path in files if path.name != "__init__.py" or _has_code(root / path)}


def _has_code(path: Path) -> bool:
    body = ast.parse(path.read_text(encoding="utf-8")).body
    return any(not isinstance(node, ast.Expr) for node in body)


def covered(path: Path, places: Iterable[str]) -> bool:
    return any(path == Path(place) or Path(place) in path.parents for place in places)


def code_deps(definition: Mapping[str, Any]) -> list[str]:
    return [dep for dep in definition["deps"] if dep.startswith(("stages/", "text2image/"))]


def stages() -> dict[str, dict[str, Any]]:
    """Return ``{name: definition}`` of every stage, ``label`` once for each label source."""
    found: dict[str, dict[str, Any]] = {}
    for path in (REPOSITORY / "dvc.yaml", REPOSITORY / "sample" / "dvc.yaml"):
        for name, entry in yaml.safe_load(path.read_text())["stages"].items():
            definition = entry.get("do", entry)
            if "text2image/labels/${item}" in definition["deps"]:
                for source in SOURCES:
                    deps = [dep.replace("${item}", source) for dep in definition["deps"]]
                    found[f"{name}@{source}"] = definition | {"deps": deps}
            else:
                found[name] = definition
    return found


STAGES = stages()


def roots(name: str, definition: Mapping[str, Any]) -> list[str]:
    """Return the modules that a stage starts from: its own, and the label source that it loads by name."""
    module = definition["cmd"].split()[2]
    source = name.partition("@")[2]
    return [module, *([f"text2image.labels.{source}.source"] if source else [])]


def missing(name: str, definition: Mapping[str, Any]) -> list[str]:
    """Return the files that can change a stage's result and that the stage does not depend on."""
    places = [*code_deps(definition), *CANNOT_CHANGE_A_RESULT]
    return sorted(str(path) for path in closure(roots(name, definition)) if not covered(path, places))


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_depends_on_all_code_that_it_imports(name: str) -> None:
    assert missing(name, STAGES[name]) == []


@pytest.mark.parametrize("stage", sorted({name.partition("@")[0] for name in STAGES}))
def test_a_stage_depends_on_no_code_that_it_does_not_import(stage: str) -> None:
    """A stage that is declared once for all label sources lists what any of them imports."""
    variants = {name: entry for name, entry in STAGES.items() if name.partition("@")[0] == stage}
    files = {path for name, entry in variants.items() for path in closure(roots(name, entry))}
    for dep in {dep for entry in variants.values() for dep in code_deps(entry)}:
        assert (REPOSITORY / dep).exists(), dep
        assert any(covered(path, [dep]) for path in files), f"{stage} imports nothing of {dep}"


def test_a_missing_dependency_is_found() -> None:
    definition = STAGES["embed_images"]
    deps = [dep for dep in definition["deps"] if dep != "text2image/collection"]
    assert "text2image/collection/images.py" in missing("embed_images", definition | {"deps": deps})


@pytest.mark.parametrize("place", CANNOT_CHANGE_A_RESULT)
def test_what_is_left_out_is_there(place: str) -> None:
    assert (REPOSITORY / place).exists()


def test_every_stage_module_is_a_stage() -> None:
    modules = {path.stem for path in (REPOSITORY / "stages").glob("*.py")} - {"__init__"}
    assert {definition["cmd"].split()[2].removeprefix("stages.") for definition in STAGES.values()} == modules
