"""What a stage reads must not change while it runs: what counts as a change, and DVC with stages during which something does."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.conftest import Finished
from text2image.base.console import InputError
from text2image.lockfile.inputs import HASHED_BYTES, Inputs

PIPELINE = """\
stages:
  catalog:
    cmd: python -m stages.catalog
    deps: ["${data.images}"]
    outs: [data/catalog.csv]
  label:
    foreach: ${label.sources}
    do:
      cmd: python -m stages.label ${item}
      deps: [data/manifest.csv, data/label_inputs, data/large.bin, text2image/labels]
      params: ["label.${item}", "sample/params.yaml": [seed]]
      outs: ["data/labels/${item}.csv"]
"""
PARAMS = (
    "data: {images: data/images}\nlabel: {sources: [imagenet], imagenet: {threshold: 0.3, classes: [1, 2]}}\n"
)
FILES = {
    "dvc.yaml": PIPELINE, "params.yaml": PARAMS, "sample/params.yaml": "seed: 1\nother: 2\n", "data/manifest.csv": "a\n",
    "data/label_inputs/human.csv": "b\n", "data/large.bin": "c" * (HASHED_BYTES + 1), "text2image/labels/code.py": "d\n",
    "data/images/0/one.png": "e", "data/other.csv": "f",
}  # fmt: skip


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


CHANGES = {
    "params.yaml": (
        PARAMS.replace("0.3", "0.6"),
        r"params key label\.imagenet\.threshold of params\.yaml \(0\.3 before, 0\.6 now\)",
    ),
    "sample/params.yaml": ("seed: 2\n", r"params key seed of sample/params\.yaml \(1 before, 2 now\)"),
    "data/manifest.csv": ("z\n", r"data/manifest\.csv is another"),
    "data/label_inputs/human.csv": (None, r"data/label_inputs/human\.csv is gone"),
    "data/label_inputs/new.csv": ("z\n", r"data/label_inputs/new\.csv is new"),
    "data/large.bin": ("z" * (HASHED_BYTES + 1), r"data/large\.bin is another"),
    "text2image/labels/code.py": ("z\n", r"text2image/labels/code\.py is another"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_while_a_stage_runs_is_named(root: Path, name: str) -> None:
    inputs = Inputs("label@imagenet", root)
    inputs.begin()
    text, sentence = CHANGES[name]
    if text is None:
        (root / name).unlink()
    else:
        (root / name).write_text(text)
    with pytest.raises(
        InputError, match=rf"^expected what label@imagenet reads .*: .*{sentence}.*`dvc repro` again"
    ):
        inputs.check()
    if text is not None and name in FILES and len(text) <= HASHED_BYTES:
        (root / name).write_text(FILES[name])
        inputs.check()


def test_a_file_of_params_that_cannot_be_read_any_more_is_a_change(root: Path) -> None:
    inputs = Inputs("label@imagenet", root)
    inputs.begin()
    (root / "params.yaml").write_text("label: {imag")
    with pytest.raises(InputError, match="none now"):
        inputs.check()


def test_what_the_stage_does_not_read_may_change(root: Path) -> None:
    inputs = Inputs("label@imagenet", root)
    inputs.begin()
    (root / "params.yaml").write_text(PARAMS.replace("sources", "x: 1, sources"))
    for name, text in {
        "sample/params.yaml": "seed: 1\nother: 3\n", "data/other.csv": "z", "data/label_inputs/.human-1-x.csv": "half",
        "dvc.yaml": "", "text2image/labels/__pycache__/code.pyc": "z", "data/images/0/one.png": "z",
    }.items():  # fmt: skip
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(text)
    inputs.check()


def test_many_changes_are_counted(root: Path) -> None:
    inputs = Inputs("label@imagenet", root)
    inputs.begin()
    for number in range(9):
        (root / f"data/label_inputs/{number}.csv").write_text("z")
    with pytest.raises(InputError, match=r"0\.csv is new, .*1\.csv is new, .*2\.csv is new, 6 more\."):
        inputs.check()


@pytest.mark.parametrize("stage", ["catalog", "gone@imagenet"])
def test_images_are_compared_by_the_catalog_and_an_unknown_stage_reads_nothing(
    root: Path, stage: str
) -> None:
    inputs = Inputs(stage, root)
    inputs.begin()
    (root / "data/images/0/one.png").write_text("another")
    inputs.check()


def test_without_a_pipeline_nothing_is_compared(tmp_path: Path) -> None:
    inputs = Inputs("label@imagenet", tmp_path)
    inputs.begin()
    inputs.check()


EDIT = """
import os, sys

words, root = sys.orig_argv, os.getcwd()
if words[-2:] == os.environ["EDITED_STAGE"].split():
    def edit(event, arguments, done=[]):
        if event == "open" and os.environ["EDITED_AT"] in str(arguments[0]) and not done and by_stage(sys._getframe()):
            done.append(1)
            path, old, new = os.environ["EDITED"].split("|")
            with open(path) as file:
                text = file.read()
            with open(path, "w") as file:
                file.write(text.replace(old, new))

    def by_stage(frame):  # not what takes the digests
        while frame:
            if "/text2image/lockfile/" in frame.f_code.co_filename:
                return False
            frame = frame.f_back
        return True

    sys.addaudithook(edit)
"""


@pytest.mark.pipeline
@pytest.mark.parametrize(
    ("stage", "at", "edited", "sentence"),
    [
        ("stages.label imagenet", "/labels/.imagenet-", "params.yaml|threshold: 0.02|threshold: 0.9",
         "params key label.imagenet.threshold of params.yaml (0.02 before, 0.9 now)"),
        ("stages.label human", "/labels/.human-", "data/label_inputs/human.csv|line,|lane,", "data/label_inputs/human.csv is another"),
    ],
)  # fmt: skip
def test_dvc_does_not_record_what_a_stage_did_not_read(
    finished: Finished, tmp_path: Path, stage: str, at: str, edited: str, sentence: str
) -> None:
    """Labels made at one threshold must not be recorded as those of another; and the advice leads out of it."""
    project = finished.project.copy(tmp_path / "project")
    (tmp_path / "hook").mkdir()
    (tmp_path / "hook" / "sitecustomize.py").write_text(EDIT)
    name = stage.removeprefix("stages.").replace(" ", "@")
    before = yaml.safe_load((project.root / "dvc.lock").read_text())["stages"][name]
    output = project.run(
        "dvc", "repro", "--force", "--single-item", name, check=False,
        env={"PYTHONPATH": f"{tmp_path / 'hook'}:{project.root}", "EDITED_STAGE": stage, "EDITED_AT": at, "EDITED": edited},
    )  # fmt: skip
    assert sentence in output
    assert "Traceback" not in output
    assert yaml.safe_load((project.root / "dvc.lock").read_text())["stages"][name] == before
    assert "run `dvc repro` again" in output
    assert name in project.repro(name) | project.repro("--force", "--single-item", name)
    assert "changed" not in project.run("dvc", "status", name).replace("deleted", "")
