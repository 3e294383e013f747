"""What `dvc plots show` and `dvc plots diff` draw, in a real browser that reaches no network."""

import html
import re
from pathlib import Path

import pytest
import yaml

from tests.support.browser import MARKS, needs_chromium, open_page
from tests.support.pipeline import Project
from text2image.pages.charts.files import libraries, page


def chart(page: str, name: str) -> str:
    """Return the SVG of a chart of dvc.yaml, which DVC puts into an element of its name."""
    found = re.search(rf'<div id="{name}"[^>]*>.*?<svg(.*?)</svg>', page, re.DOTALL)
    assert found is not None, f"{name} is not drawn"
    assert '<div id="' not in found[0][5:], f"{name} is not drawn"
    return found[1]


def check(project: Project, folder: Path, revisions: list[str]) -> None:
    """Every chart of dvc.yaml is there with its title, its axes, marks of every revision, and no complaint."""
    seen = open_page(folder / "index.html", project.root.with_name("profile"))
    assert seen.console == []
    declared = yaml.safe_load((project.root / "dvc.yaml").read_text())["plots"]
    for name, plot in (item for named in declared for item in named.items()):
        if name == "fusion_weights":  # of systems whose weights are tuned, of which the project has none
            assert f"Nothing to draw: {name} has no row." in seen.page
            continue
        drawn = chart(seen.page, name)
        texts = {html.unescape(text) for text in re.findall(r"<text[^>]*>([^<]*)</text>", drawn)}
        assert {plot["title"], *revisions} <= texts, name
        assert {plot["x_label"], plot["y_label"]} & texts, name
        assert len(re.findall(MARKS, drawn)) >= len(revisions), f"{name} is blank"
    pictures = re.findall(r'<img src="(static/[^"]+)"', seen.page)
    assert all((folder / path).is_file() for path in pictures)
    for sheet in (
        "dataset_examples.png",
        "examples_human_builtin-best.png",
        "labels_human.png",
        "audit_human.png",
    ):
        assert sum(path.endswith(sheet) for path in pictures) == len(revisions), sheet


@needs_chromium
@pytest.mark.pipeline
def test_every_chart_renders_without_a_network(project: Project) -> None:
    project.run("git", "switch", "-qc", "other")
    project.set(evaluate__k=[1, 3])
    project.repro()
    project.commit("another k")
    project.run("dvc", "plots", "show", "-o", "shown")
    check(project, project.root / "shown", ["workspace"])
    project.run("dvc", "plots", "diff", "main", "other", "-o", "compared")
    check(project, project.root / "compared", ["main", "other"])


@needs_chromium
def test_a_chart_that_cannot_be_drawn_says_so_and_the_console_is_heard(tmp_path: Path) -> None:
    """The checks above would see a page that fails: a chart is wrong, a picture is remote."""
    broken = """<div id="broken"><script>vegaEmbed("#broken", {"layer": 3})</script></div>"""
    text = page(libraries())
    text = text.replace("{plot_divs}", f'{broken}<img src="https://example.org/a.png">')
    file = tmp_path / "index.html"
    file.write_text(text.replace("{refresh_tag}", ""))
    seen = open_page(file, tmp_path / "profile")
    assert '<div id="broken" class="undrawn">This chart cannot be drawn: ' in seen.page
    heard = "".join(seen.console)
    for complaint in ("TypeError", "Content Security Policy"):
        assert complaint in heard
