"""The report in a real browser that reaches no network: every chart, and texts that stay texts."""

import csv
import html
import json
import re
from pathlib import Path

import pytest
import yaml

from tests.support.browser import MARKS, needs_chromium, open_page
from tests.support.markup import HOSTILE, MARKDOWN, check_harmless
from tests.support.pipeline import Project


def edit_csv(path: Path, **values: str) -> None:
    """Overwrite cells of the first row."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    rows[0] |= values
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def make_other(project: Project) -> None:
    """Commit a branch whose labels, model outputs and parameters hold markup, and whose first query moved."""
    project.run("git", "switch", "-qc", "other")
    root = project.root
    edit_csv(root / "data/results/builtin/human.csv", text=HOSTILE, best_rank="9")
    edit_csv(root / "plots/margins.csv", text=HOSTILE)
    edit_csv(root / "plots/label_coverage.csv", source=HOSTILE)
    labels = json.loads((root / "metrics/labels.json").read_text())
    labels["sources"][HOSTILE] = labels["sources"].pop("imagenet")
    (root / "metrics/labels.json").write_text(json.dumps(labels))
    project.set(judge__prompt=HOSTILE)
    project.run("dvc", "commit", "-fq", "dvc.yaml")
    project.commit("hostile")


def check_page(project: Project, page: Path, revisions: list[str]) -> str:
    """Every declared chart is there with title and marks, nothing ran, nothing is asked of a network."""
    seen = open_page(page, project.root.with_name("profile"))
    assert seen.console == []
    assert "Content-Security-Policy" in seen.page
    declared = yaml.safe_load((project.root / "dvc.yaml").read_text())["plots"]
    for name, plot in (item for named in declared for item in named.items()):
        drawn = re.search(rf'<figure class="chart" id="chart-{name}">(.*?)</figure>', seen.page, re.DOTALL)
        assert drawn is not None, name
        if name == "fusion_weights":  # of systems whose weights are tuned, of which the project has none
            assert "there is nothing to draw" in drawn[1]
            continue
        texts = {html.unescape(text) for text in re.findall(r"<text[^>]*>([^<]*)</text>", drawn[1])}
        assert {plot["title"], *revisions} <= texts, name
        assert len(re.findall(MARKS, drawn[1])) >= len(revisions), f"{name} is blank"
    sheets = re.findall(r'<img src="data:image/webp;base64,[^"]{500,}" alt="plots/([^",]+)', seen.page)
    for sheet in (
        "dataset_examples",
        "examples/human/builtin-best",
        "labels/human",
        "audit/human",
    ):
        assert f"{sheet}.png" in sheets
    return seen.page


@needs_chromium
@pytest.mark.pipeline
def test_reports_show_every_chart_without_a_network_and_texts_stay_texts(project: Project) -> None:
    make_other(project)
    project.run("python", "-m", "text2image.cli", "report")
    one = check_page(project, project.root / "report" / "report.html", ["workspace"])
    project.run("python", "-m", "text2image.cli", "report", "main..other", "-o", "two")
    two = check_page(project, project.root / "two" / "report.html", ["main", "other"])
    assert project.run("git", "status", "--short").split() == ["??", "two/"], "report/ is ignored by git"
    for page in (one, two):
        assert "owned" not in re.findall(r"<title>(.*?)</title>", page)[0]
        texts = check_harmless(page)
        assert texts.count(HOSTILE) >= 2, "a label source and a parameter"
        assert any(f"text: {HOSTILE}" in text for text in texts), "a query at its point of a chart"
    assert "queries in both" in two
    assert "Parameters that differ" in two
    assert re.search(
        rf"<td><bdi>{re.escape(html.escape(HOSTILE, quote=False))}</bdi></td>\s*<td><bdi>human</bdi></td>\s*<td><bdi>builtin",
        two,
    ), "it moved"
    check_markdown(project.root / "two")


def check_markdown(folder: Path) -> None:
    """Its tables are tables, its pictures exist, and hostile texts are cells of text."""
    text = (folder / "report.md").read_text()
    drawn = MARKDOWN.render(text)
    named = set(re.findall(r'<img src="([^"]*)"', drawn))
    assert {path.relative_to(folder).as_posix() for path in folder.rglob("*.*g")} == named
    assert all(re.fullmatch(r"pictures/[\w.-]+", path) for path in named)
    for title in ("What was run", "Conclusions", "Measures", "Labels"):
        assert f"<h2>{title}</h2>" in drawn
    assert "<th>labels</th>\n<th>system</th>" in drawn
    assert not re.search(r"<a |<script|<img src=.?x|<strong>b", drawn)
    shown = html.unescape(drawn).replace("\N{ZERO WIDTH SPACE}", "")
    assert HOSTILE in shown
    assert len(text) < 65_536, "GitHub takes no longer comment"
