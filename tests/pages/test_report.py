"""The report: what its page shows in a browser without a network, its Markdown, and what its sentences say."""

from __future__ import annotations

import csv
import html
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from markdown_it import MarkdownIt

from tests.support.browser import MARKS, look, needs_chromium
from tests.support.pipeline import Project
from text2image.base.console import InputError
from text2image.evaluation.comparison import compare
from text2image.pages.report import svg
from text2image.pages.report.blocks import Chart, Report, Section, Sentences, Table
from text2image.pages.report.changes import find_changes, moved, pair
from text2image.pages.report.conclusions import conclusions
from text2image.pages.report.figures import judgement_table
from text2image.pages.report.html import html as page_of
from text2image.pages.report.markdown import escape, markdown
from text2image.pages.report.parameters import parameter_sections
from text2image.pages.report.revisions import Key, Revision, parse

HOSTILE = "<img src=x onerror=\"document.title='owned'\"> | `x` [a](https://example.org) @octocat **b** <script>1</script>"

MARKDOWN = MarkdownIt("gfm-like", {"linkify": False})  # as GitHub reads it, but for bare addresses


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
    project.run("dvc", "commit", "-fq")
    project.commit("hostile")


class Elements(HTMLParser):
    """The elements of a page, as a browser sees them, and their text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def check_harmless(page: str) -> list[str]:
    """Return the page's texts; nothing in it runs, and nothing leads out of it."""
    elements = Elements(page)
    for tag, attributes in elements.found:
        assert tag not in ("script", "iframe", "object", "embed", "link", "base", "form", "image", "use")
        assert not any(name.startswith("on") for name in attributes), attributes
        for name in ("src", "href", "xlink:href"):
            assert (attributes.get(name) or "#").startswith(("data:image/webp;base64,", "#")), attributes
    return elements.texts


def check_page(project: Project, page: Path, revisions: list[str]) -> str:
    """Every declared chart is there with title and marks, nothing ran, nothing is asked of a network."""
    seen = look(page, project.root.with_name("profile"))
    assert seen.console == []
    assert "Content-Security-Policy" in seen.page
    declared = yaml.safe_load((project.root / "dvc.yaml").read_text())["plots"]
    for name, plot in (item for named in declared for item in named.items()):
        drawn = re.search(rf'<figure class="chart" id="chart-{name}">(.*?)</figure>', seen.page, re.DOTALL)
        assert drawn is not None, name
        texts = {html.unescape(text) for text in re.findall(r"<text[^>]*>([^<]*)</text>", drawn[1])}
        assert {plot["title"], *revisions} <= texts, name
        assert len(re.findall(MARKS, drawn[1])) >= len(revisions), f"{name} is blank"
    sheets = re.findall(r'<img src="data:image/webp;base64,[^"]{500,}" alt="plots/([^",]+)', seen.page)
    for sheet in (
        "dataset_examples",
        "examples/builtin-human-best",
        "instructive/human",
        "labels/human",
        "audit/human",
    ):
        assert f"{sheet}.png" in sheets
    return seen.page


@needs_chromium
@pytest.mark.pipeline
def test_reports_show_every_chart_without_a_network_and_texts_stay_texts(project: Project) -> None:
    make_other(project)
    project.run("python", "-m", "text2image.commands.report")
    one = check_page(project, project.root / "report" / "report.html", ["workspace"])
    project.run("python", "-m", "text2image.commands.report", "main..other", "-o", "two")
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
        rf"<td>{re.escape(html.escape(HOSTILE, quote=False))}</td>\s*<td>human</td>\s*<td>builtin", two
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
    assert "<th>labels</th>\n<th>model</th>" in drawn
    assert not re.search(r"<a |<script|<img src=.?x|<strong>b", drawn)
    shown = html.unescape(drawn).replace("\N{ZERO WIDTH SPACE}", "")
    assert HOSTILE in shown
    assert len(text) < 65_536, "GitHub takes no longer comment"


@pytest.mark.pipeline
def test_what_is_missing_is_named_and_the_rest_is_shown(project: Project) -> None:
    lock = yaml.safe_load((project.root / "dvc.lock").read_text())
    outputs = {out["path"]: out["md5"] for stage in lock["stages"].values() for out in stage.get("outs", [])}
    for path in ("plots/hit_rate.csv", "data/results", "plots/labels/human.png"):
        digest = outputs[path]
        (project.root / ".dvc/cache/files/md5" / digest[:2] / digest[2:]).unlink()
    (project.root / "metrics/labels.json").unlink()
    said = project.run("python", "-m", "text2image.commands.report", "main..workspace")
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
    assert page.count("<svg") == len(declared)
    for wrong in ("nothing", "main..nothing"):
        said = project.run("python", "-m", "text2image.commands.report", wrong, check=False)
        assert said == "error: expected a revision that git or DVC knows, found 'nothing'\n"
    for name in ("metrics", "dataset"):
        (project.root / "metrics" / f"{name}.json").unlink()
    assert "expected results in workspace" in project.run(
        "python", "-m", "text2image.commands.report", check=False
    )
    said = project.run("python", "-m", "text2image.commands.report", "-o", "data", check=False)
    assert "expected an empty folder or an earlier report at data" in said


def test_revisions_are_named_singly_or_in_pairs() -> None:
    assert parse("main") == ["main"]
    assert parse("v1.0..feature/x") == ["v1.0", "feature/x"]
    for wrong in ("", "..", "main..", "..main", "a...b", "a..b..c"):
        with pytest.raises(InputError, match=r"expected a revision or REV_A\.\.REV_B"):
            parse(wrong)
    with pytest.raises(InputError, match="two different revisions"):
        parse("main..main")


@pytest.mark.parametrize(
    "text",
    [
        HOSTILE,
        "a | b || c",
        "- no list",
        "1. no list",
        "+ * _ no list",
        "# no heading",
        "> no quotation",
        "---",
        "=== ``` ~~~",
        "__bold__ _it_ ~~gone~~ snake_case_name __init__",
        "![picture](https://example.org/a.png) [ref][1] [1]: x",
        "<https://example.org> https://example.org www.example.org a@example.org",
        "&lt;b&gt; &#60; &amp; &copy;",
        "\\* \\\\ `` ` ``",
        "<!-- comment --> <details> </table>",
    ],
)
def test_markdown_shows_a_text_as_it_is(text: str) -> None:
    for form in ("- {}", "| {} |\n| --- |\n| x |"):
        drawn = MARKDOWN.render(form.format(escape(text)))
        assert set(re.findall(r"</?(\w+)", drawn)) <= {
            "ul",
            "li",
            "table",
            "thead",
            "tbody",
            "tr",
            "th",
            "td",
        }
        inner = re.search(r"<(?:li|th)>(.*?)</(?:li|th)>", drawn, re.DOTALL)
        assert inner is not None
        assert html.unescape(inner[1]).replace("\N{ZERO WIDTH SPACE}", "") == text


def test_markdown_mentions_nobody_links_nowhere_and_hides_no_control_characters() -> None:
    assert "@octocat" not in escape("ask @octocat")
    assert "#12" not in escape("see #12 and repo#12")
    assert not re.search(r"://|www\.|@e", escape("https://example.org WWW.example.org a@example.org"))
    assert escape("HitRate@5 of snake_case 0.45") == "HitRate@5 of snake_case 0.45"
    assert escape("a\nb\tc\x1b[0m\u202e") == "a b c\\\\x1b\\[0m\\\\u202e"


def test_a_page_escapes_every_block() -> None:
    blocks = [Sentences([HOSTILE], HOSTILE), Table([HOSTILE], [[HOSTILE]], heading=HOSTILE, note=HOSTILE)]
    report = Report(HOSTILE, HOSTILE, [Section(HOSTILE, blocks, HOSTILE)])
    page = page_of(report, several=False)
    assert check_harmless(page).count(HOSTILE) >= 6
    drawn = MARKDOWN.render("\n".join(markdown(report).text.split("\n")[2:]))
    assert "<h3>" in drawn
    assert "<table>" in drawn


def test_a_chart_holds_shapes_and_text_only() -> None:
    spec = {
        "data": {"values": [{"x": 1, "t": HOSTILE, "u": "https://example.org/a.png"}]},
        "layer": [
            {
                "mark": {"type": "point", "clip": True},
                "encoding": {"x": {"field": "x"}, "tooltip": {"field": "t"}},
            },
            {"mark": "text", "encoding": {"text": {"field": "t"}}},
            {"mark": {"type": "image", "width": 9, "height": 9}, "encoding": {"url": {"field": "u"}}},
        ],
    }
    drawn = svg.draw(spec, "one")
    check_harmless(drawn)
    assert drawn.count(html.escape(HOSTILE, quote=False)) == 2  # the text, and what is shown at the point
    ids = re.findall(r' id="([^"]*)"', drawn)
    assert ids
    assert all(name.startswith("one-") and f"url(#{name})" in drawn for name in ids)
    assert svg.png(drawn).startswith(b"\x89PNG")
    with pytest.raises(svg.CannotDrawError, match="External data url not allowed"):
        svg.draw({"data": {"url": "https://example.org/a.csv"}, "mark": "point"}, "two")


def test_a_chart_of_very_many_marks_is_a_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = svg.draw(
        {"data": {"values": [{"x": 1}]}, "mark": "point", "encoding": {"x": {"field": "x"}}}, "one"
    )
    report = Report("t", "s", [Section("Charts", [Chart("one", HOSTILE, drawn)])])
    assert "<svg" in page_of(report, several=False)
    monkeypatch.setattr("text2image.pages.report.html.LARGE", len(drawn) - 1)
    page = page_of(report, several=False)
    assert "<svg" not in page
    [picture] = [attributes for tag, attributes in Elements(page).found if tag == "img"]
    assert (picture["src"] or "").startswith("data:image/png;base64,iVBOR")
    assert picture["alt"] == HOSTILE


def rows(ranks: dict[str, int], clusters: dict[str, int] | None = None) -> list[dict[str, str]]:
    return [
        {
            "query_id": q,
            "text": f"text {q}",
            "best_rank": str(rank),
            "cluster": str((clusters or {}).get(q, i)),
        }
        for i, (q, rank) in enumerate(ranks.items())
    ]


def test_queries_are_paired_by_id_and_share_the_clusters_of_both_revisions() -> None:
    first = rows({"a": 1, "b": 2, "c": 3, "e": 3, "gone": 4}, {"a": 0, "b": 0, "c": 1, "e": 2, "gone": 3})
    second = rows({"c": 5, "b": 2, "new": 1, "a": 7, "e": 1}, {"c": 0, "b": 0, "new": 3, "a": 2, "e": 1})
    paired = pair(first, second)
    assert paired.texts == ["text c", "text b", "text a", "text e"]
    assert (paired.first.tolist(), paired.second.tolist()) == ([3, 2, 1, 3], [5, 2, 7, 1])
    assert paired.clusters.tolist() == [0, 0, 0, 1]  # c and b in the second, b and a in the first
    assert paired.alone == (1, 1)
    assert pair(rows({"a": 1}), rows({"b": 1})).texts == []


def test_changes_are_those_of_the_paired_comparison() -> None:
    generator = np.random.default_rng(5)
    before = {f"q{i}": int(r) for i, r in enumerate(generator.integers(1, 40, 60))}
    after = {q: max(1, r - int(generator.integers(0, 12))) for q, r in before.items()}
    paired = pair(rows(before), rows(after))
    changes = find_changes({Key("m", "s"): paired}, [5], resamples=2000, seed=1)
    assert [change.measure for change in changes] == ["mrr", "hit_rate@5"]
    ranks = np.array(list(zip(before.values(), after.values(), strict=True)), dtype=float)
    expected = compare(1 / ranks[:, 1:], 1 / ranks[:, :1], np.arange(60), resamples=2000, seed=1)[0]
    assert changes[0].found == pytest.approx(expected)
    assert changes[0].before == pytest.approx((1 / ranks[:, 0]).mean())
    best = max(before, key=lambda q: 1 / after[q] - 1 / before[q])
    assert moved(paired, 2)[0] == (f"text {best}", before[best], after[best])


def revision(name: str, ranks: dict[str, int], **measures: float) -> Revision:
    row: dict[str, Any] = {"n_queries": len(ranks), "n_images": 50, "chance": {"hit_rate@5": 0.1}} | measures
    return Revision(
        name,
        params={
            "evaluate": {"k": [5]},
            "label": {"sources": ["s"], "s": {"x": 1}, "t": {"x": 2}},
            "runtime": {},
        },
        dataset={"images": 50},
        metrics={"m": {"s": row}},
        results={Key("m", "s"): rows(ranks)} if ranks else {},
    )


def said(*revisions: Revision) -> str:
    blocks = conclusions(revisions)
    return "\n".join(s for block in blocks if isinstance(block, Sentences) for s in block.sentences)


def test_conclusions_claim_no_more_than_the_data() -> None:
    score = {"hit_rate@5": 0.6, "hit_rate@5_low": 0.5, "hit_rate@5_high": 0.7}
    good = revision("new", {f"q{i}": 1 for i in range(60)}, **score)
    bad = revision("old", {f"q{i}": 9 for i in range(60)} | {"lost": 1}, **score)
    told = said(bad, good)
    assert "new finds the image in the top 5 more often than old: +1.0" in told
    assert "(queries left out of this: 1 only in old)" in told
    assert "no change, as each of 60 queries finds its image at the same rank in both" in said(good, good)
    other = revision("old", {"p": 1}, **score)
    assert "no query in common" in said(other, good)
    unknown = revision("old", {}, **score)
    assert "the intervals overlap" in said(unknown, good)
    far = revision("old", {}, **{"hit_rate@5": 0.2, "hit_rate@5_low": 0.1, "hit_rate@5_high": 0.3})
    assert "the intervals do not overlap" in said(far, good)
    assert "a measure, its interval or the queries' rows are missing" in said(revision("old", {}), good)
    assert "for 60\xa0% of 60 queries (95 % interval 50\xa0% to 70\xa0%; by chance 10\xa0%)" in said(good)
    few = revision("few", {"q": 1}, **{"hit_rate@5": 1.0, "hit_rate@5_low": 0.3, "hit_rate@5_high": 1.0})
    assert "with so few independent queries this says little" in said(few)
    luck = revision("luck", {"q": 1}, **{"hit_rate@5": 0.1, "hit_rate@5_low": 0.05, "hit_rate@5_high": 0.2})
    assert "this cannot be told from chance" in said(luck)


def test_judgements_are_counted_once_there_are_any() -> None:
    judged = revision("new", {"q": 1})
    judged.judgements = {
        "results": {"m": {"s": {"judged@1": 1.0, "judged@5": 0.25}}},
        "sources": {"s": {"by_people": 7, "by_models": 0, "by_both": 0, "kappa_quadratic": None}},
    }
    table = judgement_table([judged])
    assert table is not None
    assert list(table.rows[0]) == ["s", "7", "0", "0", "–", "m @1 100\xa0%, m @5 25\xa0%"]
    judged.judgements["sources"]["s"]["by_people"] = 0
    assert judgement_table([judged]) is None


def test_parameters_in_use_and_what_differs() -> None:
    first, second = revision("a", {}), revision("b", {})
    second.params = second.params | {"evaluate": {"k": [5, 10]}, "runtime": {"device": "cpu"}}
    differ, used = parameter_sections([first, second])
    [table] = differ.blocks
    assert isinstance(table, Table)
    assert [list(row) for row in table.rows] == [
        ["evaluate.k", "[5]", "[5, 10]"],
        ["runtime", "{}", "–"],
        ["runtime.device", "–", "cpu"],
    ]
    [table] = used.blocks
    assert isinstance(table, Table)
    assert [row[0] for row in table.rows] == ["evaluate.k", "label.sources", "label.s.x"]
    assert parameter_sections([first, first])[0].intro == "The parameters are the same in both revisions."
