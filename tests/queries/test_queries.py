"""What is the same text, and which images answer it."""

from __future__ import annotations

import pytest

from text2image.formats.texts import normalise_text, query_id
from text2image.queries.query import make_queries


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("  red\tsneakers \n on sale ", "red sneakers on sale"),
        ("ﬁne\u00a0print\u2028next", "fine print next"),
        ("a\u202eb\u200bc\x00d", "abc d"),
        ("\u200f \t", ""),
        ("é", "é"),
    ],
)
def test_normalised_texts_are_one_clean_line(raw: str, expected: str) -> None:
    assert normalise_text(raw) == expected


def test_a_text_of_several_images_is_one_query() -> None:
    queries = make_queries(
        [("b", "Red shoe"), ("a", "red  SHOE"), ("c", "Red shoe"), ("a", "hat"), ("a", " ")]
    )
    assert [(query.text, query.relevant) for query in queries] == [
        ("Red shoe", ("a", "b", "c")),
        ("hat", ("a",)),
    ]
    assert queries[0].query_id == query_id("RED SHOE")


def test_the_order_of_labels_changes_nothing() -> None:
    labels = [("a", "x"), ("b", "X"), ("c", "y z"), ("d", "Y Z"), ("e", "Y Z")]
    assert make_queries(labels) == make_queries(reversed(labels))
