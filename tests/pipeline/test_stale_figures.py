"""Forty photographs in the place of ten, by the README's own lines, and a run that fails half-way: no old figure is shown."""

from __future__ import annotations

import json
import re

import pytest

from tests.support.pipeline import REPOSITORY, Project, add_photographs
from text2image.formats.tables import read_csv

PHOTOGRAPHS = 40
T2I = ("python", "-m", "text2image.cli")


def own_images_lines() -> list[str]:
    """Return the lines that the README gives for one's own images."""
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    block = re.search(r"## Your own images in four lines\n\n```console\n(.*?)```", text, re.DOTALL)
    assert block
    return [line.removeprefix("$ ") for line in block[1].splitlines()]


@pytest.mark.pipeline
def test_forty_photographs_by_the_readmes_lines_after_a_run_that_fails(project: Project) -> None:
    root = project.root
    add_photographs(project, range(10, PHOTOGRAPHS))
    _, sources, repro, _ = own_images_lines()  # the photographs lie where `cp` would put them
    (root / "params.yaml").write_bytes((REPOSITORY / "params.yaml").read_bytes())
    project.run("bash", "-c", sources)
    project.set(label__human__path="labels.csv")  # not in use: nobody waits for the sample's captions
    judgements = root / "data" / "judgements.csv"
    header = judgements.read_text()
    judgements.write_text("not,judgements\n")
    assert "expected the columns" in project.failing_repro()

    shown = project.run("dvc", "metrics", "show", "--json").splitlines()[-1]
    figures = {path: row["data"] for path, row in json.loads(shown)[""]["data"].items() if "data" in row}
    assert "metrics/metrics.json" not in figures and "metrics/labels.json" not in figures
    assert figures["metrics/dataset.json"]["images"] == PHOTOGRAPHS
    said = project.run(*T2I, "report")
    assert re.search(r"report: workspace: What .*evaluate.* wrote is out of date, since", said), said
    page = (root / "report" / "report.html").read_text()
    assert "Out of date" in page and "HitRate@5" not in page
    assert "run `dvc repro`" in project.run(*T2I, "judge", "imagenet", check=False)

    judgements.write_text(header)
    project.run("bash", "-c", repro)
    metrics = json.loads((root / "metrics" / "metrics.json").read_text())["builtin"]
    left_out = {row["source"] for row in read_csv(root / "data/qrels/left_out_sources.csv", ["source"])}
    assert metrics.keys() | left_out == {"imagenet", "ocr"} and metrics
    assert all(row["n_images"] == PHOTOGRAPHS for row in metrics.values())
    assert "out of date" not in project.run(*T2I, "report")
    assert "HitRate@5" in (root / "report" / "report.html").read_text()

    project.set(label__ocr__min_confidence=1.0)
    output = project.run("dvc", "repro")
    assert "ocr: left out of all figures, as no image has a label (" in output
    assert json.loads((root / "metrics" / "metrics.json").read_text())["builtin"] == {
        "imagenet": metrics["imagenet"]
    }
    project.run(*T2I, "report")
    assert "Label sources that are left out of all figures" in (root / "report" / "report.html").read_text()
    assert project.repro() == set()
