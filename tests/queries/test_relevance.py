"""Which images answer a query."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
import pytest

from text2image.formats.texts import query_id
from text2image.queries.generic import is_generic
from text2image.queries.query import make_queries
from text2image.queries.relevance import (
    GENERIC,
    NOTHING_LEFT,
    TOO_MANY,
    TOO_MANY_ALIKE,
    join_groups,
    judge_queries,
    near_duplicates_of,
)
from text2image.retrieval.alike import alike_pairs

GROUPS = {"a": 0, "b": 0, "c": 1, "d": 2, "e": 3}
NEAR = near_duplicates_of(GROUPS)
ALONE = {image: [image] for image in GROUPS}


def judged(
    labels: list[tuple[str, str]],
    near: Mapping[str, Sequence[str]],
    grades: Mapping[str, Mapping[str, int]] = MappingProxyType({}),
    share: float = 1.0,
) -> tuple[dict[str, dict[str, int]], dict[str, str]]:
    """Return the relevance by text, and why the other texts are left out."""
    queries = make_queries(labels)
    relevance, left = judge_queries(
        queries, near, grades, max_relevant_share=share, generic_words=["a", "photo"]
    )
    texts = {query.query_id: query.text for query in queries}
    by_text = {texts[query]: images for query, images in relevance.items()}
    return by_text, {item.text: item.reason for item in left}


def test_near_duplicates_are_relevant_too_unless_strict() -> None:
    labels = [("a", "shoe"), ("c", "shoe"), ("d", "hat")]
    assert judged(labels, ALONE)[0] == {"shoe": {"a": 2, "c": 2}, "hat": {"d": 2}}
    assert judged(labels, NEAR)[0] == {"shoe": {"a": 2, "b": 2, "c": 2}, "hat": {"d": 2}}


def test_judgements_override_and_extend() -> None:
    grades = {query_id("shoe"): {"a": 0, "d": 3, "gone": 3, "c": 1}}
    assert judged([("a", "shoe")], NEAR, grades)[0] == {"shoe": {"b": 2, "c": 1, "d": 3}}


def test_texts_that_cannot_be_searched_for_are_listed() -> None:
    labels = [("a", "shoe"), ("b", "shoe"), ("c", "A photo"), ("d", "hat"), ("e", "!?")]
    found, left = judged(labels, ALONE, {query_id("hat"): {"d": 0}}, share=0.2)
    assert found == {}
    assert left == {"shoe": TOO_MANY, "A photo": GENERIC, "hat": NOTHING_LEFT, "!?": GENERIC}


def test_a_single_image_never_is_too_many() -> None:
    assert judged([("a", "shoe")], {"a": ["a"], "b": ["b"]}, share=0.0)[0] == {"shoe": {"a": 2}}


@pytest.mark.parametrize(
    ("text", "generic"), [("the Photo", True), ("", True), ("photo album", False), ("日本", False)]
)
def test_generic(text: str, generic: bool) -> None:
    assert is_generic(text, ["the", "photo"]) is generic


def test_near_duplicates_count_towards_too_many() -> None:
    """One image carries the text, and four of ten show its picture: more than a fifth of the gallery answers."""
    near = near_duplicates_of({image: 0 if image in "abcd" else ord(image) for image in "abcdefghij"})
    found, left = judged([("a", "shoe"), ("e", "hat")], near, share=0.2)
    assert found == {"hat": {"e": 2}}
    assert left == {"shoe": TOO_MANY_ALIKE}
    assert judged([("a", "shoe")], near, share=0.4)[1] == {}


def test_groups_that_a_model_holds_for_the_same_join() -> None:
    groups = {"a": 0, "b": 0, "c": 1, "d": 2, "e": 3}
    assert join_groups(groups, pairs("ac bc de")) == {"a": 0, "b": 0, "c": 0, "d": 1, "e": 1}
    assert join_groups({"a": 4, "b": 5}, pairs("")) == {"a": 0, "b": 1}


def test_groups_that_a_model_joins_have_no_chains() -> None:
    """b is alike to c, and c to d; but a is not alike to c, nor c to e."""
    groups = {"a": 0, "b": 0, "c": 1, "d": 2, "e": 2}
    assert join_groups(groups, pairs("bc cd")) == {"a": 0, "b": 0, "c": 1, "d": 2, "e": 2}
    chain = {image: number for number, image in enumerate("abcd")}
    assert join_groups(chain, pairs("ab bc cd")) == {"a": 0, "b": 0, "c": 1, "d": 1}


def pairs(names: str) -> np.ndarray:
    """Return the positions of images that are named by letters, such as "ac bc"."""
    return np.array(["abcde".index(letter) for letter in names if letter != " "], dtype=np.int64).reshape(
        -1, 2
    )


def test_alike_pairs_by_hand() -> None:
    angles = np.array([0.0, 0.1, 1.0, 0.2, 3.0])
    images = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    assert alike_pairs(images, 0.99).tolist() == [[0, 1], [1, 3]]
    assert len(alike_pairs(images, -1.0)) == 10
