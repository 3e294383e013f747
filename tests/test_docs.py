"""The guide's own example of a label source, done as it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from tests.pipeline import REPOSITORY, Project

pytestmark = pytest.mark.pipeline

GUIDE = (REPOSITORY / "docs" / "labels.md").read_text(encoding="utf-8")


def replaced(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text, f"{path} no longer has what the guide says: {old}"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_a_source_of_ones_own(project: Project) -> None:
    module, section = re.findall(r"```python\n(.*?)```", GUIDE.split("## A source of your own")[1], re.DOTALL)
    (project.root / "stages" / "labelers" / "filename.py").write_text(module)
    replaced(
        project.root / "stages" / "labelers" / "__init__.py",
        'SOURCES = ("human"',
        'SOURCES = ("filename", "human"',
    )
    params = project.root / "stages" / "io" / "params.py"
    replaced(
        params,
        "class Label(Section):\n",
        f"{section}\n\nclass Label(Section):\n    filename: FilenameLabels\n",
    )
    settings = yaml.safe_load(re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL)[-1])["label"]
    project.set(label__sources=settings["sources"], label__filename=settings["filename"])
    assert project.repro("queries@filename") >= {"label@filename", "queries@filename"}
    labels = (project.root / "data" / "labels" / "filename.csv").read_text().splitlines()
    assert len(labels) == 11
    assert labels[1].split(",")[1] == "photo"
