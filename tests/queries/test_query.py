"""Queries of labels: one a text, whatever the order of the labels."""

from text2image.formats.texts import query_id
from text2image.queries.query import make_queries


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
