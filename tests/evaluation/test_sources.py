"""How label sources compare: literals and limits."""

from typing import Any

import numpy as np
import pytest

from text2image.evaluation.labels.sources import (
    MOST_WORDS,
    Source,
    chart_tables,
    clip_scores,
    compare_sources,
    label_pairs,
    similarity_table,
    summarise_source,
    text_similarity,
)
from text2image.formats.texts import query_id

NORTH, EAST, SOUTH = ([0.0, 1.0], [1.0, 0.0], [0.0, -1.0])


def rows(*vectors: list[float]) -> np.ndarray:
    return np.array(vectors, dtype=np.float32)


def similarity(*arguments: Any) -> list[Any]:
    return list(text_similarity(*arguments).values())


def test_clip_score_by_hand() -> None:
    found = clip_scores(rows(NORTH, NORTH, NORTH, [0.6, 0.8]), rows(NORTH, EAST, SOUTH, NORTH))
    np.testing.assert_allclose(found, [2.5, 0.0, 0.0, 2.0], atol=1e-6)


def test_text_similarity_takes_the_most_similar_texts_of_each_image() -> None:
    first, second = {"a": [0], "b": [1], "c": [0]}, {"a": [0, 1], "b": [1]}
    images, same, apart = similarity(first, second, rows(NORTH, EAST), rows(EAST, NORTH))
    assert images == 2
    assert same == pytest.approx((1.0 + 0.0) / 2)  # a: north ~ north; b: east ~ north
    assert apart == pytest.approx((1.0 + 1.0) / 2)  # a with b's: north ~ north; b with a's: east ~ east


def test_text_similarity_needs_two_images() -> None:
    assert similarity({"a": [0]}, {"a": [0]}, rows(NORTH), rows(NORTH)) == [1, None, None]
    assert similarity({"a": [0]}, {"b": [0]}, rows(NORTH), rows(NORTH)) == [0, None, None]


def test_sources_side_by_side() -> None:
    labels = [
        {"image_id": image, "text": text} for image, text in (("a", "North"), ("b", "north"), ("a", "north"))
    ]
    pairs = label_pairs(labels, [query_id("east"), query_id("north")], ["a", "b", "c", "d"])
    assert pairs[["text", "column", "row"]].to_numpy().tolist() == [
        ["North", 0, 1],
        ["north", 0, 1],
        ["north", 1, 1],
    ]
    figures = {"images": 4, "labelled_images": 2, "pairs": 3, "unique_texts": 1, "mean_words": 1.0}
    texts = {name: Source(pairs, {"m": rows(EAST, NORTH)}, [1, 99, 0, 0], figures) for name in "xy"}
    found = compare_sources(texts, {"m": rows(NORTH, NORTH, EAST, EAST)})
    assert found["sources"]["x"] == {
        "images": 4, "coverage": 0.5, "pairs": 3, "unique_texts": 1, "shared_text_share": 1.0, "mean_words": 1.0,
        "clip_score": {"m": 2.5},
    }  # fmt: skip
    assert found["agreement"] == {"m": {"x ~ y": {"images": 2, "similarity": 1.0, "different_images": 1.0}}}
    coverage, words, agreement = chart_tables(found, texts).values()
    assert coverage.to_numpy().tolist() == [["x", 0.5, 1.0], ["y", 0.5, 1.0]]
    assert words.to_numpy().tolist()[:3] == [["x", 0, "0.500000"], ["x", 1, "0.250000"], ["x", 2, "0.000000"]]
    assert words.iloc[MOST_WORDS].tolist() == ["x", MOST_WORDS, "0.250000"], "and all that is longer"
    assert agreement["similarity"].tolist() == ["1.000000", "1.000000"]
    assert len(similarity_table({"agreement": {}})) == 0, "of one source nothing is drawn"


def test_shared_texts_are_those_of_several_images() -> None:
    """Of w, x, y and z two are shared: a label given twice to one image is not."""
    labels = [
        {"image_id": image, "text": text}
        for text, images in (("w", "ab"), ("x", "cc"), ("y", "d"), ("z", "be"))
        for image in images
    ]
    figures = {"images": 5, "labelled_images": 5, "pairs": 7, "unique_texts": 4, "mean_words": 1.0}
    source = Source(label_pairs(labels, map(query_id, "wxyz"), list("abcde")), {}, [1] * 5, figures)
    assert summarise_source(source, {})["shared_text_share"] == 0.5
