"""Suspicious labels: literals, and planted errors that must come out on top."""

import numpy as np
import pandas as pd
import pytest

from text2image.evaluation.labels.audit import (
    NONE_FITS,
    audit,
    best_alike,
    find_signs,
    findings,
    found_ranks,
    majority,
    pair_ranks,
    suspicion,
)
from text2image.evaluation.labels.sources import label_pairs
from text2image.formats.texts import query_id
from text2image.formats.views import ImageVectors


def unit(matrix: np.ndarray) -> np.ndarray:
    return (matrix / np.linalg.norm(matrix, axis=1, keepdims=True)).astype(np.float32)


def test_pair_ranks_by_hand() -> None:
    left, right = unit(np.eye(2)), unit(np.array([[1.0, 0], [0, 1], [1, 1]]))
    assert pair_ranks(left, right, np.array([0, 0, 0, 1]), np.array([0, 2, 1, 0])).tolist() == [1, 2, 3, 3]


def test_an_image_ranks_by_its_best_view_and_is_compared_as_a_whole() -> None:
    views = np.array([[0, 1], [1, 0], [0.6, 0.8], [-1, 0]], np.float32)
    images = ImageVectors(views, np.array([0, 2, 3]))
    text = np.array([[1, 0]], np.float32)
    rows, columns = np.zeros(3, dtype=np.int64), np.arange(3)
    assert pair_ranks(text, images.vectors, rows, columns, images.starts).tolist() == [1, 2, 3]
    assert pair_ranks(text, images.first(), rows, columns).tolist() == [2, 1, 3]
    labels = [{"image_id": name, "text": "t"} for name in "abc"]
    pairs = label_pairs(labels, {query_id("t"): "t"}, ["a", "b", "c"])
    ranks = pd.DataFrame(
        {"query_id": [query_id("t")] * 3, "relevance": [1] * 3, "rank": [1, 2, 3], "score": [1.0, 0.6, -1.0]}
    )
    signs = find_signs(pairs, images, text, ranks)
    assert signs["image_rank"].tolist() == [1, 2, 3]
    np.testing.assert_allclose(signs["image_alike"], [0.8, 0.8, 0.0], atol=1e-6)


def test_best_alike_looks_at_others_of_the_same_key() -> None:
    vectors = unit(np.array([[1.0, 0], [0, 1], [0.6, 0.8]]))
    found = best_alike(vectors, np.array([0, 1, 2, 0, 1]), np.array([7, 7, 7, 8, 9]))
    np.testing.assert_allclose(found, [0.6, 0.8, 0.8, np.nan, np.nan], atol=1e-6)


def test_an_item_twice_under_a_key_is_no_other() -> None:
    assert np.isnan(best_alike(unit(np.eye(2)), np.array([0, 0]), np.array([1, 1]))).all()


def test_percentiles_share_the_middle_of_ties() -> None:
    np.testing.assert_allclose(
        suspicion([pd.Series([3.0, 1, np.nan, 1, 2])]), [0.875, 0.25, np.nan, 0.25, 0.625]
    )


def test_suspicion_is_the_mean_of_what_is_there() -> None:
    signs = [pd.Series([1.0, 2.0]), pd.Series([np.nan, 5.0])]
    np.testing.assert_allclose(suspicion(signs), [0.25, (0.75 + 0.5) / 2])


def test_findings_say_what_fits_and_blame_nobody() -> None:
    found = findings(np.array([10, 11, 11]), np.array([0.9, 0.5, 0.4]), 0.5)
    assert found == ["", "other_image_fits", "no_image_fits"]
    assert majority(["other_image_fits"]) == "other_image_fits"
    assert majority(["other_image_fits", "no_image_fits"]) == "models_differ"
    assert majority(["", "", "no_image_fits"]) == ""


@pytest.mark.parametrize("seed", range(3))
def test_planted_errors_come_out_on_top(seed: int) -> None:
    """A tenth of the texts swapped: the top tenth holds them at least five times as often as chance.

    Synthetic embeddings in which a model is right about half of the time, two texts an image.
    """
    generator = np.random.default_rng(seed)
    n, dim = 240, 64
    images = unit(generator.normal(size=(n, dim)))
    columns = np.repeat(np.arange(n), 2)
    texts = unit(images[columns] + 0.35 * generator.normal(size=(2 * n, dim)))
    rows = np.arange(2 * n)
    bad = generator.choice(2 * n, 48, replace=False)
    rows[bad] = np.roll(rows[bad], 1)
    signs = [
        pd.Series(sign)
        for sign in (
            np.log(pair_ranks(texts, images, rows, columns)),
            np.log(pair_ranks(images, texts, columns, rows)),
            -best_alike(texts, rows, columns),
            -best_alike(images, columns, rows),
        )
    ]
    top = np.argsort(-suspicion(signs), kind="stable")[: len(bad)]
    assert np.isin(top, bad).mean() >= 5 * len(bad) / (2 * n)


def test_what_a_system_finds_no_model_calls_wrong() -> None:
    """A headline that the model cannot read: one system finds its image, another does not, and a third is far off."""
    image_ids, images = ["a", "b", *map(str, range(20))], unit(np.random.default_rng(1).normal(size=(22, 8)))
    pairs = label_pairs([{"image_id": "a", "text": "sale"}, {"image_id": "b", "text": "shoe"}],
                        {query_id(text): text for text in ("sale", "shoe")}, image_ids)  # fmt: skip
    texts = -images[:2]  # opposite to the images that they belong to: the model ranks these last
    none = pd.DataFrame(columns=["query_id", "relevance", "rank", "score"])
    alone = find_signs(pairs, ImageVectors(images), texts, none)
    assert alone["image_rank"].tolist() == [22, 22]
    assert set(alone["finding"]) == {NONE_FITS}
    ranks = [
        pd.DataFrame({"query_id": [query_id("sale"), query_id("shoe")], "image_id": ["a", "b"], "rank": rank})
        for rank in ([2, 11], [15, 14])
    ]
    found = found_ranks(pairs, ranks)
    assert found[0] == 2
    assert np.isnan(found[1]), "at rank 11, it is not found"
    signs = find_signs(pairs, ImageVectors(images), texts, none, found)
    assert signs["image_rank"].tolist() == [2, 22]
    assert signs["finding"].tolist() == ["", NONE_FITS]
    assert np.isnan(found_ranks(pairs, [])).all()


def test_a_wrong_label_is_explained() -> None:
    """Three images, each with its text, and the text of the third under the first, too."""
    image_ids, images = ["a", "b", "c"], unit(np.array([[1.0, 0], [0, 1], [-1, 0]]))
    labels = [("a", "east"), ("b", "north"), ("c", "west"), ("a", "West")]
    queries = {query_id(text): text for text in ("east", "north", "west")}
    pairs = label_pairs([{"image_id": i, "text": t} for i, t in labels], queries, image_ids)
    assert pairs["column"].tolist() == [0, 0, 1, 2]
    assert pairs["text"].tolist() == ["east", "West", "north", "west"], "sorted by image and row"
    rows = [(query_id("east"), 1, 1, 1.0), (query_id("west"), 1, 1, 1.0), (query_id("west"), 0, 2, 0.0)]
    ranks = pd.DataFrame(rows, columns=["query_id", "relevance", "rank", "score"])
    signs = find_signs(pairs, ImageVectors(images), images, ranks)
    assert signs["image_rank"].tolist() == [1, 3, 1, 1]
    assert signs["text_alike"].tolist()[:2] == [-1.0, -1.0]
    assert np.isnan(signs["text_alike"]).tolist() == [False, False, True, True]
    table = audit(pairs, [signs, signs], 3)
    worst = table.iloc[0]
    assert (worst["image_id"], worst["text"], worst["finding"]) == ("a", "West", "")
    assert worst["why"] == "unlike the image's other texts (-1.00); unlike its other images (-1.00)"
    assert list(table.columns)[:5] == ["image_id", "text", "suspicion", "finding", "why"]
