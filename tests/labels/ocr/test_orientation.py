"""Which way up lines stand, from readings both ways."""

import numpy as np
import pytest

from text2image.labels.ocr.orientation import Reading, from_top_left, in_doubt, is_upright, turned

LEVEL = np.array([[0, 0], [90, 0], [90, 30], [0, 30]], dtype=np.float32)
UPRIGHT = np.array([[0, 0], [30, 0], [30, 90], [0, 90]], dtype=np.float32)


def readings(*confidences: float, text: str = "words") -> list[Reading]:
    return [Reading(text, confidence) for confidence in confidences]


def test_upright_lines_are_half_again_as_high_as_wide() -> None:
    assert [is_upright(box) for box in (LEVEL, UPRIGHT)] == [False, True]
    assert [is_upright(LEVEL * [1, height]) for height in (4.4, 4.5)] == [False, True]


def test_only_level_lines_that_are_surely_read_are_beyond_doubt() -> None:
    assert not in_doubt(readings(0.95, 1.0), [False, False])
    assert in_doubt(readings(0.94, 1.0), [False, False])
    assert in_doubt(readings(1.0, 1.0), [False, True])
    assert in_doubt([], [])
    blank = Reading("  ", 0.2)
    assert in_doubt([blank], [False])
    assert not in_doubt([blank, Reading("words", 0.99)], [False, False])


def test_lines_of_one_axis_stand_as_they_say_together() -> None:
    """The short line would go the wrong way by itself; the upright ones do not ask the level ones."""
    asis, upside_down = readings(0.7, 0.8, 0.99), readings(0.99, 0.7, 0.6)
    assert turned(asis, upside_down, [False, False, True]) == [True, True, False]


def test_a_line_goes_its_own_way_if_it_is_surely_read_so() -> None:
    asis, upside_down = readings(0.99, 0.99, 0.7), readings(0.7, 0.7, 0.99)
    assert turned(asis, upside_down, [True, True, True]) == [False, False, True]
    assert turned(readings(0.99, 0.96), readings(0.7, 0.99), [True, True]) == [False, False]


def test_without_lines_or_letters_nothing_is_turned() -> None:
    assert turned([], [], []) == []
    assert turned(readings(0.3, text=" "), readings(0.3, text=""), [False]) == [False]


@pytest.mark.parametrize(
    ("box", "upright", "turn", "first"),
    [
        (LEVEL, False, False, [0, 0]),
        (LEVEL, False, True, [90, 30]),
        (UPRIGHT, True, False, [30, 0]),  # runs downwards
        (UPRIGHT, True, True, [0, 90]),  # runs upwards
    ],
)
def test_corners_begin_at_the_top_left_of_the_text(
    box: np.ndarray, upright: bool, turn: bool, first: list[int]
) -> None:
    corners = from_top_left(box, upright, turn)
    assert corners[0].tolist() == first
    across, down = corners[1] - corners[0], corners[3] - corners[0]
    assert across @ across > down @ down
    assert across[0] * down[1] - across[1] * down[0] > 0  # clockwise
