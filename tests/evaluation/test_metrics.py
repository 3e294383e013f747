"""Measures and their chance levels against literals, naive loops and simulation."""

import math

import numpy as np
import pytest

from text2image.evaluation import chance
from text2image.evaluation.measures import MRR, Measure, compared, of_best_ranks, per_query, reported
from text2image.evaluation.ranked import RankedQueries
from text2image.evaluation.summary import Resampling, at_chance, summarise


def queries_of(*ranks: int, sizes: list[int], relevance: list[int] | None = None) -> RankedQueries:
    grades = np.array(relevance or [1] * len(ranks))
    return RankedQueries(np.array(ranks), grades, np.array(sizes), 60, np.arange(len(sizes)))


def test_by_hand() -> None:
    """Two queries: relevant images at ranks 5 and 2, and at rank 1."""
    queries = queries_of(5, 2, 1, sizes=[2, 1])
    assert queries.best_ranks.tolist() == [2, 1]
    assert MRR.per_query(queries).tolist() == [0.5, 1.0]
    assert Measure("hit_rate", 1).per_query(queries).tolist() == [0.0, 1.0]
    assert Measure("recall", 2).per_query(queries).tolist() == [0.5, 1.0]
    ideal = 1 / math.log2(2) + 1 / math.log2(3)
    dcg = 1 / math.log2(3) + 1 / math.log2(6)
    np.testing.assert_allclose(Measure("ndcg", 10).per_query(queries), [dcg / ideal, 1.0])
    np.testing.assert_allclose(Measure("ndcg", 3).per_query(queries), [1 / math.log2(3) / ideal, 1.0])


def test_graded_ndcg_by_hand() -> None:
    graded = Measure("ndcg", 10).per_query(queries_of(1, 3, sizes=[2], relevance=[1, 3]))
    dcg = 1 / math.log2(2) + 3 / math.log2(4)
    ideal = 3 / math.log2(2) + 1 / math.log2(3)
    np.testing.assert_allclose(graded, [dcg / ideal])


def test_a_hit_is_not_recall() -> None:
    """Ten relevant images of which one is found: a hit, and a tenth of the recall."""
    queries = queries_of(1, *range(50, 59), sizes=[10])
    assert Measure("hit_rate", 5).per_query(queries).tolist() == [1.0]
    assert Measure("recall", 5).per_query(queries).tolist() == [0.1]


def test_queries_without_a_relevant_image_are_an_error() -> None:
    with pytest.raises(ValueError, match="at least one relevant image"):
        MRR.per_query(queries_of(1, sizes=[1, 0]))


def random_queries(seed: int, n_images: int = 60) -> RankedQueries:
    generator = np.random.default_rng(seed)
    n_relevant = generator.integers(1, 9, 30)
    ranks = [generator.choice(n_images, size, replace=False) + 1 for size in n_relevant]
    relevance = generator.integers(1, 4, n_relevant.sum())
    return RankedQueries(np.concatenate(ranks), relevance, n_relevant, n_images, np.arange(30))


def naive(ranks: list[int], relevance: list[int], k: int) -> dict[str, float]:
    found = sorted(zip(ranks, relevance, strict=True))
    dcg = sum(grade / math.log2(rank + 1) for rank, grade in found if rank <= 10)
    best = sorted(relevance, reverse=True)[:10]
    return {
        "mrr": 1 / found[0][0],
        f"hit_rate@{k}": float(found[0][0] <= k),
        f"recall@{k}": sum(rank <= k for rank in ranks) / len(ranks),
        "ndcg@10": dcg / sum(grade / math.log2(position + 1) for position, grade in enumerate(best, 1)),
    }


@pytest.mark.parametrize("k", [1, 5, 10, 100])
def test_fast_equals_naive(k: int) -> None:
    queries = random_queries(k)
    table = per_query(queries, reported([k]))
    splits = np.cumsum(queries.n_relevant)[:-1]
    for row, (ranks, grades) in enumerate(
        zip(np.split(queries.ranks, splits), np.split(queries.relevance, splits), strict=True)
    ):
        for name, value in naive(ranks.tolist(), grades.tolist(), k).items():
            assert table[name][row] == pytest.approx(value), name


def test_chance_equals_simulation() -> None:
    """Random orders, many times: each measure's mean approaches its chance level."""
    generator = np.random.default_rng(0)
    n_images, n_relevant, times = 40, np.array([1, 2, 7]), 4000
    orders = generator.permuted(np.tile(np.arange(1, n_images + 1), (times, 1)), axis=1)
    ranks = np.concatenate([orders[:, :size] for size in n_relevant], axis=1).ravel()
    grades = np.array([1, 3, 1, 2, 1, 1, 3, 1, 1, 2])
    many = RankedQueries(
        ranks, np.tile(grades, times), np.tile(n_relevant, times), n_images, np.arange(3 * times)
    )
    measures = reported([1, 5, 10])
    expected = at_chance(RankedQueries(ranks[:10], grades, n_relevant, n_images, np.arange(3)), measures)
    assert np.median(many.best_ranks) == pytest.approx(expected.pop("median_rank"), abs=0.5)
    for name, values in per_query(many, measures).items():
        assert values.mean() == pytest.approx(expected.pop(name), abs=0.012), name
    assert expected == {}


def test_chance_of_one_relevant_image_by_hand() -> None:
    one = np.array([1])
    assert chance.hit_rate(one, 4, 3)[0] == pytest.approx(0.75)
    assert chance.reciprocal_rank(one, 4)[0] == pytest.approx((1 + 1 / 2 + 1 / 3 + 1 / 4) / 4)
    assert chance.hit_rate(one, 4, 10)[0] == 1.0
    assert chance.median_rank(one, 5) == 3.0


def test_a_constant_scorer_comes_out_at_chance() -> None:
    """Through ranks and measures: images in hash order, all scores equal, many random qrels."""
    from text2image.retrieval.ranking import ranks

    generator = np.random.default_rng(1)
    n_images, n_queries = 50, 40_000
    columns = generator.integers(0, n_images, n_queries)
    scores = np.broadcast_to(np.float32(0.3), (n_queries, n_images))
    found = ranks(scores, np.arange(n_queries), columns)
    ones, each = np.ones_like(found), np.arange(n_queries)
    queries, measures = RankedQueries(found, ones, ones, n_images, each), reported([1, 5, 10])
    for measure in measures:
        mean = measure.per_query(queries).mean()
        assert mean == pytest.approx(measure.chance(queries), rel=0.15), measure


def test_a_summary_holds_sizes_means_intervals_and_chance() -> None:
    queries, measures = random_queries(0), reported([1, 5])
    figures = summarise(queries, measures, Resampling(2000, 1))
    assert (figures["n_queries"], figures["n_clusters"], figures["n_images"]) == (30, 30, 60)
    assert figures["n_relevant_mean"] == queries.n_relevant.mean()
    for name in (*map(str, measures), "median_rank"):
        assert figures[f"{name}_low"] <= figures[name] <= figures[f"{name}_high"], name
        assert figures["chance"][name] > 0, name
    assert figures["mrr"] == np.mean(1 / queries.best_ranks)


@pytest.mark.parametrize("text", ["mrr", "hit_rate@5", "recall@10", "ndcg@1"])
def test_a_measure_is_read_as_it_is_written(text: str) -> None:
    assert str(Measure.parse(text)) == text


@pytest.mark.parametrize(
    "text",
    ["", "mrr@5", "hit_rate", "hit_rate@", "hit_rate@0", "hit_rate@x", "hit_rate@-1", "mrr_low", "map@5"],
)
def test_what_is_no_measure_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected one of the measures mrr, hit_rate@k"):
        Measure.parse(text)


def test_best_ranks_decide_what_is_compared() -> None:
    queries = random_queries(1)
    expected = np.stack([measure.per_query(queries) for measure in compared([1, 5])], axis=1)
    np.testing.assert_array_equal(of_best_ranks(queries.best_ranks, compared([1, 5])), expected)
