"""A report as HTML and as Markdown: every text stays a text, every chart is shapes and text."""

import html
import re

import pytest

from tests.support.markup import HOSTILE, MARKDOWN, Elements, check_harmless
from text2image.pages.report.blocks import Block, Chart, Report, Section, Sentences, Table
from text2image.pages.report.rendering import drawing
from text2image.pages.report.rendering.html import html as page_of
from text2image.pages.report.rendering.markdown import escape, markdown


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
    table = Table([HOSTILE], [[HOSTILE]], heading=HOSTILE, note=HOSTILE)
    blocks: list[Block] = [Sentences([HOSTILE], HOSTILE), table]
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
    drawn = drawing.draw(spec, "one")
    check_harmless(drawn)
    assert drawn.count(html.escape(HOSTILE, quote=False)) == 2  # the text, and what is shown at the point
    ids = re.findall(r' id="([^"]*)"', drawn)
    assert ids
    assert all(name.startswith("one-") and f"url(#{name})" in drawn for name in ids)
    assert drawing.png(drawn).startswith(b"\x89PNG")
    with pytest.raises(drawing.CannotDrawError, match="External data url not allowed"):
        drawing.draw({"data": {"url": "https://example.org/a.csv"}, "mark": "point"}, "two")


def test_a_chart_of_very_many_marks_is_a_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = drawing.draw(
        {"data": {"values": [{"x": 1}]}, "mark": "point", "encoding": {"x": {"field": "x"}}}, "one"
    )
    report = Report("t", "s", [Section("Charts", [Chart("one", HOSTILE, drawn)])])
    assert "<svg" in page_of(report, several=False)
    monkeypatch.setattr("text2image.pages.report.rendering.html.LARGE", len(drawn) - 1)
    page = page_of(report, several=False)
    assert "<svg" not in page
    [picture] = [attributes for tag, attributes in Elements(page).found if tag == "img"]
    assert (picture["src"] or "").startswith("data:image/png;base64,iVBOR")
    assert picture["alt"] == HOSTILE
