"""Fused scores against a naive loop, and the rules: who says nothing, who is alone, what adds up to a score."""

import json
import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from pydantic import ValidationError

from tests.support.scorers import Given, single
from text2image.base.arrays import Floats, Vectors
from text2image.formats.fields import FieldText
from text2image.retrieval.ranking import count_before, ranks, top_k
from text2image.retrieval.systems import fusion
from text2image.retrieval.systems.fusion import (
    Fusion,
    Method,
    Weighting,
    measure_units,
    read_weighting,
    reciprocal_ranks,
    same_weights,
    standardised,
    weighting_json,
)
from text2image.retrieval.systems.scorer import Match, Part, Why
from text2image.retrieval.systems.settings import Fusion as Settings

METHODS: tuple[Method, ...] = ("scores", "ranks")


def made_up(seed: int, n_queries: int = 12, n_images: int = 40, n_parts: int = 3) -> list[Given]:
    """Return systems with many ties, some of which say nothing of some queries."""
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(n_parts):
        scores = rng.integers(-3, 4, (n_queries, n_images)) * rng.uniform(0.01, 5.0)
        scores[rng.random(n_queries) < 0.25] = rng.normal()
        made.append(Given(scores))
    return made


def drawn_weights(seed: int, n_queries: int, n_parts: int) -> Floats:
    """Return weights of which some are 0 and in some rows one is alone."""
    rng = np.random.default_rng(seed)
    weights = rng.random((n_queries, n_parts)) * (rng.random((n_queries, n_parts)) < 0.7)
    weights[~weights.any(axis=1), 0] = 1.0
    return weights / weights.sum(axis=1, keepdims=True)


def fusion_of(parts: list[Given], weights: Floats, method: Method = "scores") -> Fusion:
    """Return a fusion of systems by the names a, b, c."""
    return Fusion("abc"[: len(parts)], parts, Weighting(weights, measure_units(parts, method)), method)


def rows_of(part: Given) -> list[list[float]]:
    scores: list[list[float]] = part.scores(slice(0, part.n_queries)).tolist()
    return scores


def naive_scores(parts: list[Given], weights: Floats, method: Method) -> Vectors:
    """Fuse with loops, from the formulas alone."""
    n_queries, n_images = parts[0].n_queries, parts[0].n_images
    units = []
    for part in parts:
        heights = [max(row) - sum(row) / n_images for row in rows_of(part)]
        units.append(math.sqrt(sum(height**2 for height in heights) / n_queries))
    fused = np.zeros((n_queries, n_images), dtype=np.float32)
    for query in range(n_queries):
        totals = [0.0] * n_images
        for part, unit, weight in zip(parts, units, weights[query], strict=True):
            row = rows_of(part)[query]
            mean = sum(row) / n_images
            for image, score in enumerate(row):
                if len(set(row)) == 1:
                    continue
                if method == "scores":
                    distance = (score - mean) / unit
                    said = distance**2 if distance > 0 else -(distance**2)
                else:
                    before = sum(s > score or (s == score and j < image) for j, s in enumerate(row))
                    said = 1 / (60 + 1 + before)
                totals[image] += weight * said
        fused[query] = totals
    return fused


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("seed", range(8))
def test_fused_scores_are_those_of_a_naive_loop(method: Method, seed: int) -> None:
    parts = made_up(seed)
    weights = np.full((12, 3), [0.5, 0.3, 0.2])
    fusion = fusion_of(parts, weights, method)
    found, naive = fusion.scores(slice(0, 12)), naive_scores(parts, weights, method)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, naive, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("seed", range(8))
def test_fused_ranks_are_those_of_a_naive_loop_whatever_the_blocks_and_threads(
    method: Method, seed: int
) -> None:
    """Weights and scores that float64 holds exactly: equal sums tie, and ties go to the smaller column."""
    rng = np.random.default_rng(seed)
    n_queries, n_images = 10, 32
    signs = rng.permuted(np.repeat([-1.0, 1.0], n_images // 2)[None].repeat(3 * n_queries, 0), axis=1)
    parts = [Given(scores * 2.0**power) for power, scores in enumerate(signs.reshape(3, n_queries, n_images))]
    parts[1] = Given(np.where(np.arange(n_queries)[:, None] % 3 == 0, 7.0, parts[1].scores(slice(None))))
    weights = np.full((n_queries, 3), [0.5, 0.25, 0.25])
    fusion = fusion_of(parts, weights, method)
    naive = naive_scores(parts, weights, method)
    if method == "scores":
        assert all(len(np.unique(row)) <= 8 for row in naive), "many ties"
    every = fusion.scores(slice(0, n_queries))
    rows, columns = (part.ravel() for part in np.indices(every.shape))
    np.testing.assert_array_equal(ranks(every, rows, columns), ranks(naive, rows, columns))
    np.testing.assert_array_equal(top_k(every, n_images + 5), top_k(naive, n_images + 5))
    for step in (1, 3, 7):
        slices = [slice(start, start + step) for start in range(0, n_queries, step)]
        with ThreadPoolExecutor(4) as pool:
            blocks = list(pool.map(fusion.scores, slices))
        assert np.concatenate(blocks).tobytes() == every.tobytes()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("alone", range(3))
def test_a_system_with_all_the_weight_keeps_its_ranking_to_the_last_tie(method: Method, alone: int) -> None:
    parts = made_up(alone, n_images=200)
    weights = same_weights({"abc"[alone]: 2.5}, "abc", 12)
    fused = fusion_of(parts, weights, method).scores(slice(0, 12))
    assert fused.tobytes() == parts[alone].scores(slice(0, 12)).tobytes()


@pytest.mark.parametrize("method", METHODS)
def test_each_query_has_weights_of_its_own(method: Method) -> None:
    parts, weights = made_up(3), drawn_weights(3, 12, 3)
    fused = fusion_of(parts, weights, method).scores(slice(0, 12))
    for query in range(12):
        alone = fusion_of(parts, np.tile(weights[query], (12, 1)), method)
        assert alone.scores(slice(query, query + 1))[0].tobytes() == fused[query].tobytes()


@pytest.mark.parametrize("method", METHODS)
def test_a_system_that_scores_all_images_equally_says_nothing(method: Method) -> None:
    rng = np.random.default_rng(0)
    speaks, silent = Given(rng.normal(size=(5, 30))), Given(np.full((5, 30), 0.3))
    fused = fusion_of([speaks, silent], np.full((5, 2), 0.5), method).scores(slice(0, 5))
    np.testing.assert_array_equal(top_k(fused, 30), top_k(speaks.scores(slice(0, 5)), 30))
    both = fusion_of([silent, silent], np.full((5, 2), 0.5), method).scores(slice(0, 5))
    assert not both.any()


def test_reciprocal_rank_fusion_by_hand() -> None:
    """The first of one system is the third of the other; ties within a system go to the smaller column."""
    one, other = (Given(single(*scores)[None]) for scores in ((3, 2, 1, 1), (1, 1, 2, 0)))
    fused = fusion_of([one, other], np.full((1, 2), 0.5), "ranks").scores(slice(0, 1))[0]
    sums = [1 / 61 + 1 / 62, 1 / 62 + 1 / 63, 1 / 63 + 1 / 61, 1 / 64 + 1 / 64]
    np.testing.assert_allclose(fused, np.array(sums) / 2, rtol=1e-6)


def test_what_a_system_says_by_hand() -> None:
    assert standardised(single(1, 2, 3, 6), 2.0).tolist() == [-1.0, -0.25, 0.0, 2.25]
    assert reciprocal_ranks(single(1, 3, 3), 1.0).tolist() == [1 / 63, 1 / 61, 1 / 62]
    tiny = standardised(single(0, 1e-30, 0), 0.5)
    assert np.isfinite(tiny).all() and tiny.argmax() == 1


def test_the_unit_of_a_system_by_hand() -> None:
    """The best images of two queries are 3 and 1 above the means of their rows, and a third query says nothing."""
    part = Given(np.array([[0.0, 4.0, 0.0, 0.0], [2.0, 0.0, 2.0, 0.0], [1.0, 1.0, 1.0, 1.0]]))
    silent = Given(np.full((3, 4), 0.7))
    assert measure_units([part, silent], "scores").tolist() == [math.sqrt(10 / 3), 1.0]
    assert measure_units([part, silent], "ranks").tolist() == [1.0, 1.0]


def test_units_are_measured_on_queries_from_all_over_and_threads_do_not_matter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(0)
    part = Given(rng.normal(size=(5000, 20)) * np.linspace(1, 3, 5000)[:, None])
    some = measure_units([part], "scores", threads=1)
    assert some == measure_units([part], "scores", threads=5)
    monkeypatch.setattr(fusion, "UNIT_QUERIES", 5000)
    every = measure_units([part], "scores")
    assert some != every
    assert some == pytest.approx(every, rel=0.02)


def test_a_faint_likeness_does_not_outvote_a_system_that_knows_better() -> None:
    """One system finds the fourth image of its first query surely, and is unsure of the second: the other decides it."""
    words = Given(np.array([[0.0, 0.0, 0.0, 0.9], [0.0, 0.0, 0.0, 0.3]]))
    vision = Given(np.array([[0.4, 0.1, 0.2, 0.3], [0.4, 0.1, 0.2, 0.3]]))
    fused = fusion_of([vision, words], np.full((2, 2), 0.5)).scores(slice(0, 2))
    assert fused.argmax(axis=1).tolist() == [3, 0]


def test_a_weighting_is_kept_to_the_last_bit() -> None:
    weighting = Weighting(np.array([[1 / 3, 2 / 3]]), np.array([0.1 + 0.2, 1e-7]))
    text = json.dumps(weighting_json("ab", weighting.weights[0], weighting.units))
    found = read_weighting(json.loads(text), "ab", 1)
    assert [array.tolist() for array in found] == [array.tolist() for array in weighting]


@pytest.mark.parametrize("method", METHODS)
def test_shares_add_up_to_the_score(method: Method) -> None:
    parts, weights = made_up(5), drawn_weights(5, 12, 3)
    fusion = fusion_of(parts, weights, method)
    for query in range(12):
        scores = fusion.scores(slice(query, query + 1))[0]
        whys = fusion.explain(query, range(40))
        assert all([part.system for part in why.parts] == ["a", "b", "c"] for why in whys)
        sums = [sum(part.share for part in why.parts) for why in whys]
        np.testing.assert_allclose(sums, scores, rtol=1e-5, atol=1e-6)


def test_what_the_systems_say_themselves_is_kept_of_those_with_a_weight() -> None:
    def match(text: str) -> Match:
        return Match("ocr", FieldText("image", text), (text,))

    rows = np.arange(6.0).reshape(2, 3)
    parts = [
        Given(rows, Why(matches=(match("one"), match("two")))),
        Given(
            rows, Why(matches=(match("two"), match("three")), view="tile 1 of 2", grade="3", reason="it is")
        ),
        Given(rows, Why(matches=(match("four"),), view="whole", grade="0", reason="no")),
    ]
    weights = np.array([[0.5, 0.5, 0.0], [0.0, 0.0, 1.0]])
    first = fusion_of(parts, weights).explain(0, [2])[0]
    assert [one.text.text for one in first.matches] == ["one", "two", "three"]
    assert (first.view, first.grade, first.reason) == ("tile 1 of 2", "3", "it is")
    assert first.parts[2] == Part("c", 0.0)
    second = fusion_of(parts, weights).explain(1, [1])[0]
    assert second.view == "whole"
    assert second.parts == (Part("a", 0.0), Part("b", 0.0), Part("c", 4.0))


def test_weights_and_shapes_that_do_not_fit_are_refused() -> None:
    parts = made_up(0)
    for weights in (np.zeros((12, 3)), -np.ones((12, 3)), np.full((12, 3), np.nan)):
        with pytest.raises(ValueError, match="weights of at least 0, one of them positive"):
            fusion_of(parts, weights)
    with pytest.raises(ValueError, match="a weight of each for each query"):
        fusion_of(parts, np.ones((12, 2)))
    with pytest.raises(ValueError, match="of the same queries and images"):
        fusion_of([parts[0], Given(np.ones((12, 41)))], np.ones((12, 2)))


def test_a_rank_is_the_sum_of_what_parts_of_the_gallery_count() -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        scores, column, step = (
            rng.integers(0, 4, 20).astype(np.float32),
            int(rng.integers(20)),
            int(rng.integers(1, 9)),
        )
        starts = range(0, 20, step)
        counts = [count_before(scores[at : at + step], at, scores[column], column) for at in starts]
        assert [1 + sum(counts)] == ranks(scores[None], np.array([0]), np.array([column])).tolist()


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({"a": 1.0}, "a weight of each of a, b, found weights of a"),
        ({"a": 1.0, "b": 1.0, "c": 1.0}, "a weight of each of a, b, found weights of a, b, c"),
        ({"a": 0.0, "b": 0.0}, "a weight above 0, found 0 of every system"),
        ({"a": -1.0, "b": 1.0}, "greater than or equal to 0"),
        ({"a": math.nan, "b": 1.0}, "finite|greater than or equal to 0"),
        ("best", "tuned"),
    ],
)
def test_weights_in_params_that_cannot_be_used_are_said(weights: object, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Settings.model_validate({"kind": "fusion", "of": ["a", "b"], "weights": weights})


def test_a_system_is_fused_once() -> None:
    with pytest.raises(ValidationError, match="without repeats under of, found a, a"):
        Settings.model_validate({"kind": "fusion", "of": ["a", "a"]})
