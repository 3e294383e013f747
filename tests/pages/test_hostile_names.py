"""Names of files and texts whose characters hide or turn what stands there are shown as what they are."""

from pathlib import Path

import pytest

from tests.support.judging import session
from text2image.pages.judge.page import FRAME
from text2image.pages.search.service import VIEW
from text2image.pages.sheets.sheet import _fit
from text2image.pages.templates import TEMPLATES, visible
from text2image.queries.judging.session import GRADES

EVIL = "invoice\u202egnp.exe"
TURNING = [chr(code) for code in (0x61C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))]


@pytest.mark.parametrize(
    "char", [*TURNING, "\x00", "\x1b", "\x7f", "\x9b", "\u2028", "\ufeff", "\udc80"], ids=ascii
)
def test_what_is_not_seen_is_escaped_in_every_template(char: str) -> None:
    shown = TEMPLATES.from_string("<p title='{{ text }}'>{{ text }}</p>").render(text=f"a{char}b<")
    assert char not in shown
    assert shown.count("a\\") == 2 and shown.count("b&lt;") == 2
    shown.encode()


def test_letters_of_all_scripts_and_joined_emoji_stay() -> None:
    for text in ("שלום", "مرحبا", "नमस्ते", "می\u200cخواهم", "👩\u200d🚀", "a\tb\nc", "é"):
        assert visible(text) == text


def test_a_file_name_cannot_pose_as_another_on_the_search_page() -> None:
    page = str(VIEW.problem(f"expected {EVIL}"))
    assert "\u202e" not in page and "<bdi>expected invoice\\u202egnp.exe</bdi>" in page
    source = Path(str(TEMPLATES.get_template("search/view.html.jinja").filename)).read_text()
    for text in ("file.path", "label.text", "row.note", "row.by", "message"):
        assert f"<bdi>{{{{ {text} }}}}</bdi>" in source, text


def test_the_judging_page_shows_who_judges_as_it_is(tmp_path: Path) -> None:
    judged = session(tmp_path / "judgements.csv", by=EVIL)
    page = FRAME.render(
        session=judged,
        turn=None,
        progress=judged.progress(),
        preload=(),
        token="t",
        grades=GRADES,
        note_characters=5,
    )
    assert "<bdi>invoice\\u202egnp.exe</bdi>" in page and "\u202e" not in page


def test_a_sheet_draws_what_would_not_be_seen() -> None:
    assert _fit(EVIL, (12, False), 10_000) == "invoice\\u202egnp.exe"
    assert _fit("plain  text\nhere", (12, False), 10_000) == "plain  text here"
