"""Where matched words are marked on a picture."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from text2image.formats.fields import Box, FieldText
from text2image.pages.sheets.fonts import font
from text2image.pages.sheets.marks import Mark, draw_marks, marks_of, part_of_box, spans

LEVEL: Box = ((100, 40), (500, 40), (500, 80), (100, 80))


def line(text: str, box: Box = LEVEL) -> FieldText:
    return FieldText("a", text, 0.9, box)


def columns_of(mark: Mark) -> tuple[float, float]:
    xs = [x for x, _ in mark.corners]
    return min(xs), max(xs)


def test_a_word_is_marked_where_it_is_drawn() -> None:
    """A line in a typeface of its own: the estimate is right to a tenth of a letter's height, and never off the line."""
    text = "Illicit WINTER sale"
    face = font(40, bold=True)
    start, end = face.getlength("Illicit "), face.getlength("Illicit WINTER")
    width = round(face.getlength(text))
    box = ((10, 5), (10 + width, 5), (10 + width, 45), (10, 45))
    [mark] = marks_of(line(text, box), ["WINTER"])
    assert mark.text == "WINTER"
    assert columns_of(mark) == pytest.approx((10 + start, 10 + end), abs=8)
    by_count = width * len("Illicit ") / len(text)
    assert abs(columns_of(mark)[0] - 10 - start) < abs(by_count - start) / 2, (
        "better than by counting letters"
    )


def test_a_line_that_runs_upwards_is_marked_along_it() -> None:
    upwards: Box = (
        (20, 300),
        (20, 100),
        (60, 100),
        (60, 300),
    )  # its text's top left is the picture's bottom left
    first, last = (
        marks_of(line("aaaa aaaa", upwards), [])[0],
        marks_of(line("bbbb aaaa", upwards), ["aaaa"])[0],
    )
    assert first.corners == upwards
    assert last.corners[1:3] == upwards[1:3], "the end of the line is the top"
    assert 190 < last.corners[0][1] < 200 and last.corners[0][0] == 20


def test_scripts_that_run_leftwards_are_marked_from_the_right() -> None:
    [first] = marks_of(line("خصم الصيف"), ["خصم"])
    [second] = marks_of(line("خصم الصيف"), ["الصيف"])
    assert columns_of(first)[1] == 500 and columns_of(second)[0] == 100
    assert columns_of(second)[1] < columns_of(first)[0]
    [wide] = marks_of(line("夏季 sale"), ["夏季"])
    assert columns_of(wide)[1] > 250, "these letters are wider"


def test_what_stands_nowhere_has_no_mark() -> None:
    assert marks_of(FieldText("a", "a red shoe"), ["shoe"]) == []
    [whole] = marks_of(line("SUMMERSALE"), ["summer"])
    assert (whole.corners, whole.text) == (LEVEL, "SUMMERSALE"), (
        "a word that is not there as given marks the line"
    )
    [blank] = marks_of(line("\u200b"), ["x"])
    assert blank.corners == LEVEL


def test_places_of_words() -> None:
    assert spans("sale, sale and sale", ["sale", "sale"]) == [(0, 4), (6, 10)], (
        "in the text's order, each once"
    )
    assert spans("a.b*c (sale)", ["(sale)", "b*c"]) == [(6, 12)], "nothing is a pattern"
    assert spans("big  summer\tsale", ["big", "summer", "sale"]) == [(0, 16)]
    long = "x" * 10_000
    assert spans(long, ["y", long]) == [(0, 10_000)]
    assert part_of_box(LEVEL, 0, 1) == LEVEL


def test_marks_are_drawn_at_their_place_in_every_size() -> None:
    picture = Image.new("RGB", (600, 120), "#336699")
    ImageDraw.Draw(picture).rectangle((250, 50, 260, 70), fill="black")
    mark = Mark(((200, 40), (400, 40), (400, 80), (200, 80)), "sale")
    for scale in (1.0, 0.25):
        small = picture.resize((round(600 * scale), round(120 * scale)))
        drawn = draw_marks(small, [mark], scale)
        assert drawn.size == small.size
        changed = np.argwhere((np.asarray(drawn) != np.asarray(small)).any(axis=2))
        (top, left), (bottom, right) = changed.min(axis=0), changed.max(axis=0)
        assert (left, right) == pytest.approx((200 * scale, 400 * scale), abs=4)
        assert (top, bottom) == pytest.approx((40 * scale, 80 * scale), abs=4)
    assert np.asarray(draw_marks(picture, [])).tolist() == np.asarray(picture).tolist()
    full = np.asarray(draw_marks(picture, [mark])).astype(int)
    assert full[60, 300].sum() - full[60, 255].sum() > 150, "the letters below stay readable"
