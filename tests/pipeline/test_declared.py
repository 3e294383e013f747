"""What stages read and write is what dvc.yaml declares: every file that a stage opens is looked at."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from tests.conftest import Finished
from tests.support.pipeline import Project

pytestmark = pytest.mark.pipeline

WATCH = """
import os, sys

root = os.getcwd()
names = sys.orig_argv
stage = names[names.index("-m") + 1] if "-m" in names else ""
if stage.startswith("stages."):
    log = os.open(os.environ["WATCHED"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    item = "-".join(names[names.index("-m") + 2:])
    title = stage.removeprefix("stages.") + ("@" + item if item else "")

    def watch(event, arguments):
        if event != "open" or not isinstance(arguments[0], str):
            return
        if not by_library(sys._getframe()):
            return
        path = os.path.abspath(arguments[0])
        if path.startswith(root + os.sep):
            mode, flags = arguments[1], arguments[2]
            writes = bool(flags & (os.O_WRONLY | os.O_RDWR)) if mode is None else any(c in mode for c in "wax+")
            os.write(log, f"{title}\\t{'w' if writes else 'r'}\\t{os.path.relpath(path, root)}\\n".encode())

    def by_library(frame):  # what tidies up reads what DVC recorded, and no result depends on it
        while frame:
            if "/text2image/lockfile/" in frame.f_code.co_filename:
                return False
            frame = frame.f_back
        return True

    sys.addaudithook(watch)
"""

NOT_DATA = (".cache/", ".dvc/", ".git/", ".venv/", "stages/", "text2image/", "params.yaml")
IMAGES = "data/images/"  # read through the manifest, which holds their hashes
MODELS = "data/models/builtin/"  # read through the model's card, which holds their hashes


@pytest.fixture(scope="module")
def watched(
    finished: Finished, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Project, set[tuple[str, str, str]]]:
    """Run every stage once more, and return what each of them opened below the project's folder."""
    folder = tmp_path_factory.mktemp("watched")
    (folder / "sitecustomize.py").write_text(WATCH)
    project = finished.project.copy(folder / "project")
    path = f"{folder}:{project.root}"
    project.run("dvc", "repro", "--force", env={"PYTHONPATH": path, "WATCHED": str(folder / "log")})
    lines = (folder / "log").read_text().splitlines()
    return project, {tuple(line.split("\t")) for line in lines}  # type: ignore[misc]


def declared(project: Project, stage: str, kind: str) -> list[str]:
    lock = yaml.safe_load((project.root / "dvc.lock").read_text())["stages"]
    return [item["path"] for item in lock[stage].get(kind, [])]


def named_in_deps(project: Project, stage: str) -> list[str]:
    """Return the files whose hashes a declared file of data/systems holds, which a stage thus depends on."""
    held = [path for path in declared(project, stage, "deps") if path.startswith("data/systems/")]
    return [path for file in held for path in json.loads((project.root / file).read_text())["files"]]


def is_draft(path: str) -> bool:
    """Return whether a file is written beside what it takes the place of once it is whole."""
    parts = Path(path).parts
    return parts[-1].startswith(".") or any(part.endswith(".unfinished") for part in parts)


def inside(path: str, places: list[str]) -> bool:
    return any(Path(path) == Path(place) or Path(place) in Path(path).parents for place in places)


def test_stages_read_what_they_declare(watched: tuple[Project, set[tuple[str, str, str]]]) -> None:
    project, opened = watched
    read = {(stage, path) for stage, mode, path in opened if mode == "r"}
    assert len({stage for stage, _ in read}) > 10
    undeclared = sorted(
        (stage, path)
        for stage, path in read
        if not path.startswith((*NOT_DATA, IMAGES, MODELS))
        and not is_draft(path)
        and not inside(path, declared(project, stage, "deps") + declared(project, stage, "outs"))
        and path not in named_in_deps(project, stage)
    )
    assert undeclared == []


def test_stages_write_what_they_declare(watched: tuple[Project, set[tuple[str, str, str]]]) -> None:
    project, opened = watched
    written = {(stage, path) for stage, mode, path in opened if mode == "w"}
    undeclared = sorted(
        (stage, path)
        for stage, path in written
        if not path.startswith(NOT_DATA)
        and not is_draft(path)
        and not inside(path, declared(project, stage, "outs"))
    )
    assert undeclared == []


def test_every_declared_file_is_read(watched: tuple[Project, set[tuple[str, str, str]]]) -> None:
    """A dependency that nothing reads reruns a stage for nothing."""
    project, opened = watched
    lock = yaml.safe_load((project.root / "dvc.lock").read_text())["stages"]
    unread = []
    for stage, entry in lock.items():
        paths = {path for name, mode, path in opened if name == stage and mode == "r"}
        for dep in entry.get("deps", []):
            place = dep["path"]
            if place.startswith(("stages/", "text2image/")) or place in UNREAD.get(stage.split("@")[0], ()):
                continue
            if not any(inside(path, [place]) for path in paths):
                unread.append((stage, place))
    assert unread == []


UNREAD = {
    # data/local_models has links by which DVC sees models change that lie elsewhere; models are read where they lie
    "label": (
        "data/label_inputs/imagenet.csv",  # an empty table, for sources that read nothing but images
        "data/local_models/README.txt",
        "data/local_models/labels/human",
        "data/local_models/labels/imagenet",
    ),
    "model": (
        "data/local_models/README.txt",
        "data/local_models/models/builtin",
        "data/models/builtin",
        "data/tuned",
    ),  # of a model that is not made by the pipeline, nothing is read
    "relevance": ("data/embeddings", "data/splits"),  # for queries.cosine.model and fine-tuned models
    "retrieve": (  # by systems that rerank: what was graded, and the pictures; their settings are of params
        "data/manifest.csv",
        "data/systems/builtin/human.json",
        "data/systems/builtin/imagenet.json",
    ),
    "systems": (
        "data/local_models/README.txt",
        "data/local_models/systems",
        "data/fields",
        "data/qrels",
    ),  # for systems that search in texts, and tuned weights
    "audit": ("data/systems",),  # for systems that are no models alone, whose cards say the same
    "evaluate": ("data/splits",),  # for fine-tuned models
}
