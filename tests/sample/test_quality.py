"""How well near-duplicates are found: figures by hand."""

import pandas as pd

from text2image.sample.alterations import ALTERATIONS
from text2image.sample.quality import DIFFERENCES, pair_quality

COLUMNS = ("near_group", "picture", "campaign", "varies", "alteration")


def test_by_hand() -> None:
    """A template whose two prices are one group with a copy, a copy that was missed, and a chance find."""
    images = [
        (0, "t/0", "t", "price", ""),
        (0, "t/1", "t", "price", ""),
        (0, "t/0", "t", "price", "scaled"),
        (1, "t/1", "t", "price", "framed"),
        (2, "7/0", "7", "design", ""),
        (2, "8/0", "8", "design", ""),
        (3, "8/1", "8", "design", ""),
    ]
    figures = pair_quality(pd.DataFrame(images, columns=COLUMNS))
    assert (figures["images"], figures["true_pairs"]) == (7, 2)
    assert (figures["precision"], figures["recall"]) == (1 / 4, 1 / 2)
    assert figures["alterations"]["scaled"] == {"true_pairs": 1, "recall": 1.0}
    assert figures["alterations"]["framed"] == {"true_pairs": 1, "recall": 0.0}
    assert figures["alterations"]["mixed"] == {"true_pairs": 0, "recall": None}
    differences = figures["differences"]
    assert differences["price"] == {"different_pairs": 4, "false_pairs": 2, "precision": 1 / 3}
    assert differences["design"] == {"different_pairs": 1, "false_pairs": 0, "precision": None}
    assert differences["campaign"] == {"different_pairs": 4 * 3 + 2, "false_pairs": 1, "precision": 1 / 2}
    total = sum(of["different_pairs"] for of in differences.values())
    assert total + figures["true_pairs"] == 7 * 6 // 2, "every pair is of one kind"


def test_two_altered_copies_count_for_both_alterations() -> None:
    images = [(0, "t/0", "t", "price", "scaled"), (0, "t/0", "t", "price", "framed")]
    figures = pair_quality(pd.DataFrame(images, columns=COLUMNS))
    assert figures["true_pairs"] == 1
    counts = {name: of["true_pairs"] for name, of in figures["alterations"].items()}
    assert counts == dict.fromkeys(ALTERATIONS, 0) | {"scaled": 1, "framed": 1}


def test_of_other_images_nothing_is_known() -> None:
    figures = pair_quality(pd.DataFrame([], columns=COLUMNS))
    assert (figures["images"], figures["true_pairs"], figures["precision"], figures["recall"]) == (
        0,
        0,
        None,
        None,
    )
    assert {name: of["precision"] for name, of in figures["differences"].items()} == dict.fromkeys(
        DIFFERENCES
    )
    assert all(of["different_pairs"] == 0 for of in figures["differences"].values())
    assert {of["recall"] for of in figures["alterations"].values()} == {None}
