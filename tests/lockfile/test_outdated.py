"""Which results are out of date, by what real DVC wrote down, and what of them is taken away."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.pipeline import Project
from text2image.base.console import InputError
from text2image.lockfile.checks import Outdated, check_current
from text2image.lockfile.tidying import tidy

PIPELINE = """\
stages:
  catalog:
    cmd: mkdir -p data metrics && ls ${data.images} > data/manifest.csv && wc -l < data/manifest.csv > metrics/dataset.json
    deps: ["${data.images}", stages/catalog.py]
    params: [catalog.max_rejected]
    outs: [data/manifest.csv]
    metrics: [{metrics/dataset.json: {cache: false}}]
  label:
    foreach: ${label.sources}
    do:
      cmd: >-
        mkdir -p data/labels metrics/labels && cat data/manifest.csv captions.csv > data/labels/${item}.csv &&
        echo "{}" > metrics/labels/${item}.json
      deps: [data/manifest.csv, captions.csv]
      params: ["label.${item}"]
      outs: ["data/labels/${item}.csv"]
      metrics: [{"metrics/labels/${item}.json": {cache: false}}]
  relevance:
    cmd: mkdir -p data/qrels && cat data/labels/*.csv > data/qrels/all.csv && cat data/judgements.csv >> data/qrels/all.csv
    deps: [data/labels, data/judgements.csv]
    outs: [data/qrels]
  evaluate:
    cmd: mkdir -p plots && wc -c < data/qrels/all.csv > metrics/metrics.json && echo "k,v" > plots/hit_rate.csv
    deps: [data/qrels/all.csv, stages/evaluate.py]
    params: [evaluate]
    outs: [plots/hit_rate.csv]
    metrics: [{metrics/metrics.json: {cache: false}}]
"""
PARAMS = {
    "data": {"images": "images"},
    "catalog": {"max_rejected": 0.2},
    "label": {"sources": ["human", "ocr"], "human": {"path": "captions.csv"}, "ocr": {"words": 3}},
    "evaluate": {"k": [1, 5]},
    "runtime": {"workers": 2},
}
METRICS, PLOT, DATASET = (
    Path("metrics/metrics.json"),
    Path("plots/hit_rate.csv"),
    Path("metrics/dataset.json"),
)
OCR = Path("metrics/labels/ocr.json")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A small project of four kinds of stages, run by DVC."""
    root = tmp_path_factory.mktemp("made") / "project"
    for name, text in {
        "dvc.yaml": PIPELINE, ".gitignore": "/data/*\n!/data/judgements.csv\n/plots/\n", "params.yaml": json.dumps(PARAMS), "images/a": "", "captions.csv": "a,shoe\n",
        "data/judgements.csv": "", "stages/catalog.py": "", "stages/evaluate.py": "", "more/b": "", "more/c": "",
    }.items():  # fmt: skip
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    project = Project(root)
    project.run("git", "init", "-q")
    project.run("dvc", "init", "-q")
    project.repro()
    project.commit("results")
    return project


@pytest.fixture
def project(made: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A copy of it, which is the working directory."""
    shutil.copytree(made.root, tmp_path / "project", symlinks=True)
    monkeypatch.chdir(tmp_path / "project")
    return Project(tmp_path / "project")


def test_after_a_whole_run_nothing_is_out_of_date_whatever_the_code_and_the_speed(project: Project) -> None:
    project.set(runtime__workers=7)
    (project.root / "stages" / "evaluate.py").write_text("# edited")
    assert Outdated().stages == {}
    tidy("catalog", project.root)
    assert all(path.is_file() for path in (METRICS, PLOT, DATASET, OCR))
    check_current(METRICS, PLOT)


def captions(project: Project) -> None:
    (project.root / "captions.csv").write_text("a,hat\n")


def judged(project: Project) -> None:
    (project.root / "data" / "judgements.csv").write_text("a,3\n")


def edited(project: Project) -> None:
    (project.root / METRICS).write_text("1\n")


def another_dependency(project: Project) -> None:
    text = (project.root / "dvc.yaml").read_text()
    declared = "deps: [data/labels, data/judgements.csv"
    (project.root / "dvc.yaml").write_text(text.replace(declared, f"{declared}, captions.csv"))


def gone(project: Project) -> None:
    (project.root / DATASET).unlink()


ALL = {"catalog", "label@human", "label@ocr", "relevance", "evaluate"}


@pytest.mark.parametrize(
    ("change", "stages", "why"),
    [
        (lambda p: p.set(evaluate__k=[1]), {"evaluate"}, "params key evaluate changed"),
        (lambda p: p.set(label__ocr__words=4), ALL - {"catalog", "label@human"}, "params key label.ocr changed"),
        (lambda p: p.set(catalog__max_rejected=0.5), ALL, "params key catalog.max_rejected changed"),
        (lambda p: p.set(data__images="more"), ALL, "more took the place of images"),
        (captions, ALL - {"catalog"}, "captions.csv changed"),
        (judged, {"relevance", "evaluate"}, "data/judgements.csv changed"),
        (another_dependency, {"relevance", "evaluate"}, "stage relevance ran without captions.csv"),
        (edited, {"evaluate"}, "metrics/metrics.json is not what stage evaluate wrote"),
        (gone, ALL - {"catalog"}, "metrics/dataset.json of stage catalog is gone"),
    ],
)  # fmt: skip
def test_what_changed_puts_out_of_date_what_follows_from_it(
    project: Project, change: Callable[[Project], None], stages: set[str], why: str
) -> None:
    change(project)
    outdated = Outdated()
    assert outdated.stages.keys() == stages
    assert outdated.why(METRICS) == why
    assert outdated.sentences() and all(why in sentence for sentence in outdated.sentences())
    named = [sentence.partition(" wrote ")[0] for sentence in outdated.sentences()]
    assert not any("relevance" in names for names in named), "it has no figure"
    with pytest.raises(
        InputError,
        match=r"expected metrics/metrics.json of the present images.*out of date, since .*`dvc repro`",
    ):
        check_current(METRICS)
    project.repro()
    assert Outdated().stages == {}


def test_judgements_alone_may_be_let_pass(project: Project) -> None:
    judged(project)
    check_current(METRICS, apart_from=[Path("data/judgements.csv")])


def shown_by_dvc(project: Project) -> set[str]:
    """Return the files whose figures `dvc metrics show` shows."""
    said = project.run("dvc", "metrics", "show", "--json").splitlines()[-1]  # before it, what DVC misses
    return {path for path, figures in json.loads(said)[""]["data"].items() if "data" in figures}


def test_a_run_that_fails_half_way_leaves_no_old_figure_and_the_next_recovers(project: Project) -> None:
    """New images, then a stage that fails: what DVC shows afterwards belongs to the new images alone."""
    assert {METRICS.as_posix(), DATASET.as_posix(), OCR.as_posix()} < shown_by_dvc(project)
    whole = (project.root / "dvc.yaml").read_text()
    (project.root / "dvc.yaml").write_text(whole.replace("cmd: mkdir -p data/qrels", "cmd: false"))
    project.set(data__images="more")
    project.run("dvc", "repro", check=False)
    outdated = Outdated()
    assert "data/labels changed" in outdated.why(METRICS)
    assert outdated.why(DATASET) == outdated.why(OCR) == ""
    tidy("relevance", project.root)
    assert shown_by_dvc(project) == {DATASET.as_posix(), OCR.as_posix(), "metrics/labels/human.json"}
    assert not PLOT.exists()
    (project.root / "dvc.yaml").write_text(whole)
    project.repro()
    assert Outdated().stages == {}
    assert METRICS.read_text().strip() == "22" and PLOT.is_file()
    project.set(data__images="images")
    tidy("catalog", project.root)
    assert not METRICS.exists() and not DATASET.exists()
    assert OCR.exists(), "labels may cost money: DVC decides whether they are made again"
    assert project.repro() == set(), "DVC's run cache has what was taken away"
    assert METRICS.is_file() and DATASET.is_file()


def test_a_revision_is_held_against_its_own_inputs(project: Project) -> None:
    from text2image.pages.report.files import open_files

    captions(project)
    project.commit("captions that nothing was made of")
    (project.root / "captions.csv").write_text("a,shoe\n")
    with open_files("HEAD") as files:
        assert files.outdated.why(METRICS) == "captions.csv changed"
        assert files.path(METRICS) is None and files.path(DATASET) is not None
        assert files.missing == []
    with open_files("HEAD~1") as files:
        assert files.outdated.stages == {}


@pytest.mark.parametrize("name", ["dvc.lock", "dvc.yaml", "params.yaml"])
def test_without_a_sound_record_nothing_is_said_and_nothing_goes(project: Project, name: str) -> None:
    project.set(evaluate__k=[1])
    for content in ("half: [", "", "stages:"):
        (project.root / name).write_text(content)
        assert Outdated().stages == {}
        tidy("evaluate", project.root)
        assert METRICS.is_file()


def test_what_dvc_may_not_make_again_is_said_and_stays(project: Project) -> None:
    text = (project.root / "dvc.yaml").read_text()
    (project.root / "dvc.yaml").write_text(text.replace("  evaluate:\n", "  evaluate:\n    frozen: true\n"))
    project.set(evaluate__k=[1])
    tidy("catalog", project.root)
    assert Outdated().why(METRICS) == "params key evaluate changed" and METRICS.is_file()


def test_of_another_pipeline_nothing_is_said_but_what_follows_from_it(project: Project) -> None:
    """A plain `dvc repro` does not run the check of the sample, so it is no advice."""
    sample = {
        "check": {
            "cmd": "true",
            "deps": ["data/manifest.csv"],
            "metrics": ["metrics/check.json"],
            "wdir": "..",
        }
    }
    lock = {"check": {"cmd": "true", "deps": [{"path": "data/manifest.csv", "hash": "md5", "md5": "0"}]}}
    for name, stages in (("dvc.yaml", sample), ("dvc.lock", lock)):
        (project.root / "sample").mkdir(exist_ok=True)
        (project.root / "sample" / name).write_text(json.dumps({"stages": stages}))
    (project.root / "metrics" / "check.json").write_text("1")
    assert Outdated().stages.keys() == {"check"} and Outdated().sentences() == []
    tidy("evaluate", project.root)
    assert not Path("metrics/check.json").exists() and METRICS.is_file()
