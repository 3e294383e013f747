"""Reading order and the most prominent phrase, on drawn-up lines."""

import random
import time

import pytest

from text2image.labels.ocr.reading import Line, is_amount, most_prominent, phrases, reading_order


def line(text: str, left: float, top: float, size: float, confidence: float = 0.99) -> Line:
    """A line of type that is ``size`` high and half as wide a character."""
    right, bottom = left + len(text) * size / 2, top + size
    return Line(text, confidence, ((left, top), (right, top), (right, bottom), (left, bottom)))


def texts(lines: list[Line]) -> list[str]:
    return [phrase.text for phrase in phrases(lines)]


def test_headline_over_three_lines_is_one_phrase() -> None:
    lines = [
        line("Nordista", 10, 10, 20),
        line("Walk on", 10, 36, 40),
        line("the wild", 10, 84, 40),
        line("side", 10, 132, 40),
        line("Get tickets", 300, 80, 20),
    ]
    assert texts(lines) == ["Nordista", "Walk on the wild side", "Get tickets"]
    best = most_prominent(phrases(lines), 3)
    assert best and best.text == "Walk on the wild side"


@pytest.mark.parametrize("align", ["left", "centre", "right"])
def test_lines_may_be_aligned_left_centred_or_right(align: str) -> None:
    width = {"left": 0.0, "centre": 0.5, "right": 1.0}[align]
    lines = [
        line(text, 400 - len(text) * 20 * width, 48 * row, 40)
        for row, text in enumerate(["Eat well", "every single", "day"])
    ]
    assert texts(lines) == ["Eat well every single day"]


def test_columns_are_not_read_across() -> None:
    left = [line("Find your", 0, 0, 40), line("own sound", 0, 48, 40)]
    right = [line("Try it out", 500, 10, 40), line("and see it", 500, 58, 40)]
    assert texts([*left, *right]) == ["Find your own sound", "Try it out and see it"]
    assert [one.text for one in reading_order([*right, *left])] == [
        "Find your",
        "own sound",
        "Try it out",
        "and see it",
    ]


def test_parts_of_one_line_are_joined() -> None:
    assert texts([line("day", 220, 3, 40), line("every", 100, 0, 40), line("Made for", 100, -48, 40)]) == [
        "Made for every day"
    ]


def test_prominence_is_letter_size_times_confidence() -> None:
    large, small = line("Doubtful words", 0, 0, 40, 0.5), line("Certain words", 0, 200, 30, 0.9)
    best = most_prominent(phrases([large, small]), 3)
    assert best and best.text == "Certain words"
    assert best.prominence == pytest.approx(30 / 2**0.5 * 0.9)


def test_amounts_and_short_texts_are_no_phrases() -> None:
    lines = [line("-50%", 0, 0, 90), line("Only €14.90", 0, 100, 80), line("ab", 0, 200, 70)]
    assert most_prominent(phrases(lines), 3) is None
    best = most_prominent(phrases([*lines, line("Own the game", 0, 300, 20)]), 3)
    assert best and best.text == "Own the game"
    assert most_prominent([], 3) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("-50%", True),
        ("€23.95", True),
        ("2 for €32.99", True),
        ("up to 70 % off", False),  # three words beside it
        ("Save 30%", True),
        ("19,99 €", True),
        ("2024", True),
        ("???", True),
        ("Save 30% on all summer shoes", False),
        ("Own the game", False),
        ("100 years of us", False),
        ("99 EUR", True),
        ("5 Euros", False),
        ("全品50%", True),
        ("全商品が50%の特別価格", False),
    ],
)
def test_is_amount(text: str, expected: bool) -> None:
    assert is_amount(text) is expected


def test_slanted_and_upright_type_have_the_same_letter_size() -> None:
    flat = line("Summer sale", 0, 0, 40)
    turned = Line("Summer sale", 0.99, tuple((100 - y, x) for x, y in flat.box))
    assert turned.letter_size == pytest.approx(flat.letter_size)
    assert turned.height == pytest.approx(40)


def turn(one: Line, quarters: int) -> Line:
    """Turn a line clockwise about the origin."""
    box = one.box
    for _ in range(quarters):
        box = [(-y, x) for x, y in box]
    return one._replace(box=box)


@pytest.mark.parametrize("quarters", range(4))
def test_turned_lines_are_joined_as_upright_ones_are(quarters: int) -> None:
    lines = [
        line("Nordista", 10, 10, 20),
        line("Walk on", 10, 36, 40),
        line("the wild", 10, 84, 40),
        line("Get tickets", 300, 80, 20),
    ]
    turned = [turn(one, quarters) for one in lines]
    assert {one.quarters for one in turned} == {quarters}
    assert [one.edges for one in turned] == [one.edges for one in lines]
    assert texts(turned) == texts(lines) == ["Nordista", "Walk on the wild", "Get tickets"]


def test_lines_that_stand_another_way_up_are_another_phrase() -> None:
    lines = [
        turn(line("Terms apply", -120, 200, 40), 3),
        line("Walk on", 10, 36, 40),
        line("the wild", 10, 84, 40),
    ]
    assert texts(lines) == ["Walk on the wild", "Terms apply"]


def test_parts_of_a_line_from_right_to_left_are_joined_so() -> None:
    assert texts([line("כל", 100, 0, 40), line("יום", 170, 3, 40)]) == ["יום כל"]


def test_lines_of_scripts_without_spaces_are_joined_without() -> None:
    assert texts([line("夏の", 0, 0, 40), line("セール", 0, 48, 40)]) == ["夏のセール"]
    assert texts([line("夏の", 0, 0, 40), line("SALE", 0, 48, 40)]) == ["夏の SALE"]


def test_order_of_detection_does_not_matter() -> None:
    dice = random.Random(5)
    lines = [
        line(f"word{number}", dice.randrange(600), dice.randrange(400), dice.choice([15, 20, 40]))
        for number in range(40)
    ]
    expected = texts(lines)
    for _ in range(20):
        dice.shuffle(lines)
        assert texts(lines) == expected
    assert sorted(word for text in expected for word in text.split()) == sorted(one.text for one in lines)


def test_a_page_of_text_takes_no_time() -> None:
    lines = [line(f"line {number}", 700 * (number % 3), 14 * (number // 3), 10) for number in range(1500)]
    start = time.perf_counter()
    assert len(phrases(lines)) == 3
    assert time.perf_counter() - start < 3
