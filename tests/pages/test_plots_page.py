"""What `dvc plots show` and `dvc plots diff` draw, in a real browser that reaches no network."""

from __future__ import annotations

import html
import re
from pathlib import Path

import pytest
import yaml

from tests.support.browser import MARKS, look, needs_chromium
from tests.support.pipeline import Project
from text2image.base.console import InputError
from text2image.pages import plots_page


def chart(page: str, name: str) -> str:
    """Return the SVG of a chart of dvc.yaml, which DVC puts into an element of its name."""
    found = re.search(rf'<div id="{name}"[^>]*>.*?<svg(.*?)</svg>', page, re.DOTALL)
    assert found is not None, f"{name} is not drawn"
    assert '<div id="' not in found[0][5:], f"{name} is not drawn"
    return found[1]


def check(project: Project, folder: Path, revisions: list[str]) -> None:
    """Every chart of dvc.yaml is there with its title, its axes, marks of every revision, and no complaint."""
    seen = look(folder / "index.html", project.root.with_name("profile"))
    assert seen.console == []
    declared = yaml.safe_load((project.root / "dvc.yaml").read_text())["plots"]
    for name, plot in (item for named in declared for item in named.items()):
        drawn = chart(seen.page, name)
        texts = {html.unescape(text) for text in re.findall(r"<text[^>]*>([^<]*)</text>", drawn)}
        assert {plot["title"], *revisions} <= texts, name
        assert {plot["x_label"], plot["y_label"]} & texts, name
        assert len(re.findall(MARKS, drawn)) >= len(revisions), f"{name} is blank"
    pictures = re.findall(r'<img src="(static/[^"]+)"', seen.page)
    assert all((folder / path).is_file() for path in pictures)
    for sheet in (
        "dataset_examples.png",
        "builtin-human-best.png",
        "instructive_human.png",
        "labels_human.png",
        "audit_human.png",
    ):
        assert sum(path.endswith(sheet) for path in pictures) == len(revisions), sheet


@needs_chromium
@pytest.mark.pipeline
def test_every_chart_renders_without_a_network(project: Project) -> None:
    project.run("python", "-m", "text2image.pages.plots_page")
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
    text = plots_page.page(plots_page.libraries())
    text = text.replace("{plot_divs}", f'{broken}<img src="https://example.org/a.png">')
    page = tmp_path / "index.html"
    page.write_text(text.replace("{refresh_tag}", ""))
    seen = look(page, tmp_path / "profile")
    assert '<div id="broken" class="undrawn">This chart cannot be drawn: ' in seen.page
    heard = "".join(seen.console)
    for complaint in ("TypeError", "Content Security Policy"):
        assert complaint in heard


def test_the_page_is_one_file_that_dvc_can_fill() -> None:
    text = plots_page.page('x = "</script><!--<SCRIPT>";')
    assert '"\\x3c/script>\\x3c!--\\x3cSCRIPT>"' in text
    assert text.count("{plot_divs}") == text.count("{refresh_tag}") == 1
    assert "{scripts}" not in text, "DVC would put a CDN's scripts there"
    assert not re.search(r'(src|href)\s*=\s*"', text)


def test_ones_own_page_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="run from the repository root"):
        plots_page.main()
    Project(tmp_path).run("dvc", "init", "--no-scm", "-q")
    plots_page.main()
    assert plots_page.dvc_config(plots_page.OPTION).stdout.strip() == plots_page.PAGE
    assert (tmp_path / ".dvc" / "config.local").read_text().count(str(tmp_path)) == 0
    plots_page.dvc_config("--local", plots_page.OPTION, "mine.html")
    plots_page.main()
    assert plots_page.dvc_config(plots_page.OPTION).stdout.strip() == "mine.html"
    assert "left as it is" in capsys.readouterr().err
