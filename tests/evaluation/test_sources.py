"""How label sources compare: literals and limits."""

import numpy as np
import pytest

from text2image.evaluation.labels.sources import (
    SourceTexts,
    clip_scores,
    compare_sources,
    coverage_table,
    histogram,
    rows_of_images,
    shared_share,
    similarity_table,
    text_similarity,
    words_table,
)
from text2image.formats.texts import query_id

NORTH, EAST, SOUTH = ([0.0, 1.0], [1.0, 0.0], [0.0, -1.0])


def rows(*vectors: list[float]) -> np.ndarray:
    return np.array(vectors, dtype=np.float32)


def test_clip_score_by_hand() -> None:
    found = clip_scores(rows(NORTH, NORTH, NORTH, [0.6, 0.8]), rows(NORTH, EAST, SOUTH, NORTH))
    np.testing.assert_allclose(found, [2.5, 0.0, 0.0, 2.0], atol=1e-6)


def test_shared_share_counts_images_not_labels() -> None:
    assert shared_share({"a": ["x", "y"], "b": ["x", "x"], "c": ["z"], "d": ["y", "z"]}) == 0.5
    assert shared_share({}) == 0.0


def test_text_similarity_takes_the_most_similar_texts_of_each_image() -> None:
    first, second = {"a": [0], "b": [1], "c": [0]}, {"a": [0, 1], "b": [1]}
    images, same, apart = text_similarity(first, second, rows(NORTH, EAST), rows(EAST, NORTH))
    assert images == 2
    assert same == pytest.approx((1.0 + 0.0) / 2)  # a: north ~ north; b: east ~ north
    assert apart == pytest.approx((1.0 + 1.0) / 2)  # a with b's: north ~ north; b with a's: east ~ east


def test_text_similarity_needs_two_images() -> None:
    assert text_similarity({"a": [0]}, {"a": [0]}, rows(NORTH), rows(NORTH)) == (1, None, None)
    assert text_similarity({"a": [0]}, {"b": [0]}, rows(NORTH), rows(NORTH)) == (0, None, None)


def test_sources_side_by_side() -> None:
    labels = [
        {"image_id": image, "text": text} for image, text in (("a", "North"), ("b", "north"), ("a", "north"))
    ]
    queries = {query_id("east"): "east", query_id("north"): "north"}
    assert rows_of_images(labels, queries) == {"a": [1], "b": [1]}
    figures = {"images": 4, "labelled_images": 2, "pairs": 3, "unique_texts": 1, "mean_words": 1.0}
    texts = {name: SourceTexts(rows_of_images(labels, queries), [1, 1, 0, 0], figures) for name in "xy"}
    vectors = {
        "m": {"x": rows(EAST, NORTH), "y": rows(EAST, NORTH), "images": rows(NORTH, NORTH, EAST, EAST)}
    }
    found = compare_sources(texts, vectors, ["a", "b", "c", "d"])
    assert found["sources"]["x"] == {
        "images": 4, "coverage": 0.5, "pairs": 3, "unique_texts": 1, "shared_text_share": 1.0, "mean_words": 1.0,
        "clip_score": {"m": 2.5},
    }  # fmt: skip
    assert found["agreement"] == {"m": {"x ~ y": {"images": 2, "similarity": 1.0, "different_images": 1.0}}}
    assert coverage_table(found).to_numpy().tolist() == [["x", 0.5, 1.0], ["y", 0.5, 1.0]]
    assert words_table(texts).to_numpy().tolist()[:3] == [
        ["x", 0, "0.500000"],
        ["x", 1, "0.500000"],
        ["x", 2, "0.000000"],
    ]
    assert similarity_table(found)["similarity"].tolist() == ["1.000000", "1.000000"]
    assert len(similarity_table({"agreement": {}})) == 0, "of one source nothing is drawn"


def test_histogram_ends_with_all_that_is_larger() -> None:
    assert histogram([0, 2, 2, 9], 3) == [(0, 1), (1, 0), (2, 2), (3, 1)]
