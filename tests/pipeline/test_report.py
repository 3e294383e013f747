"""The report of revisions that lack something, in a finished project."""

from __future__ import annotations

import html

import pytest
import yaml

from tests.support.pipeline import Project


@pytest.mark.pipeline
def test_what_is_missing_is_named_and_the_rest_is_shown(project: Project) -> None:
    lock = yaml.safe_load((project.root / "dvc.lock").read_text())
    outputs = {out["path"]: out["md5"] for stage in lock["stages"].values() for out in stage.get("outs", [])}
    for path in ("plots/hit_rate.csv", "data/results", "plots/labels/human.png"):
        digest = outputs[path]
        (project.root / ".dvc/cache/files/md5" / digest[:2] / digest[2:]).unlink()
    (project.root / "metrics/labels.json").unlink()
    said = project.run("python", "-m", "text2image.cli", "report", "main..workspace")
    assert "main lacks data/results/builtin/human.csv (not in DVC's cache)" in said
    assert "workspace lacks metrics/labels.json (not there)" in said
    page = html.unescape((project.root / "report" / "report.html").read_text())
    for problem in (
        "plots/hit_rate.csv is not in DVC's cache",
        "plots/labels/human.png is not in DVC's cache",
    ):
        assert f"main: {problem}" in page
    assert "the intervals overlap" in page
    declared = yaml.safe_load((project.root / "dvc.yaml").read_text())["plots"]
    assert page.count("<svg") == len(declared) - 1, (
        "no weights are tuned here, so their chart has nothing to draw"
    )
    for wrong in ("nothing", "main..nothing"):
        said = project.run("python", "-m", "text2image.cli", "report", wrong, check=False)
        assert said == "error: expected a revision that git or DVC knows, found 'nothing'\n"
    for name in ("metrics", "dataset"):
        (project.root / "metrics" / f"{name}.json").unlink()
    assert "expected results in workspace" in project.run(
        "python", "-m", "text2image.cli", "report", check=False
    )
    said = project.run("python", "-m", "text2image.cli", "report", "-o", "data", check=False)
    assert "expected an empty folder or an earlier report at data" in said
