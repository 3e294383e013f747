"""Queries of labels: one a text, whatever the order of the labels."""

from pathlib import Path

from text2image.formats.tables import write_csv
from text2image.formats.texts import query_id
from text2image.labels.protocol.source import Label
from text2image.queries.query import make_queries, read_query_kinds


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


def test_a_query_is_of_all_kinds_that_its_labels_are_of(tmp_path: Path) -> None:
    labels = [
        Label("a", "Red shoe", None, "product"),
        Label("b", "red SHOE", None, "headline; product"),
        Label("b", "hat", None),
        Label("c", "cap", None, "product"),
    ]
    write_csv(tmp_path / "labels.csv", Label._fields, labels)
    kinds = {query_id("red shoe"): "headline; product", query_id("cap"): "product"}
    assert read_query_kinds(tmp_path / "labels.csv") == kinds


def test_a_table_of_before_there_were_kinds_has_none(tmp_path: Path) -> None:
    write_csv(tmp_path / "labels.csv", ("image_id", "text", "confidence"), [("a", "shoe", "")])
    assert read_query_kinds(tmp_path / "labels.csv") == {}
