"""Weights chosen by cross-fitting: against a naive search, and leaks that are planted to be caught."""

import math
from itertools import product

import numpy as np
import pytest

from tests.support.scorers import Given
from text2image.base.arrays import Integers
from text2image.retrieval.ranking import ranks
from text2image.retrieval.systems import tuning as tuning_module
from text2image.retrieval.systems.fusion import Fusion, Method, Weighting, measure_units
from text2image.retrieval.systems.tuning import FOLDS, Tuning, grid, make_folds, reciprocal_ranks_at, tune


def ids(n_queries: int) -> list[str]:
    return [f"query-{number}" for number in range(n_queries)]


def mrr(fusion: Fusion, rows: Integers, columns: Integers) -> float:
    """Return the MRR of the best relevant image, from the scores of all queries."""
    best = np.full(fusion.n_queries, np.inf)
    np.minimum.at(best, rows, ranks(fusion.scores(slice(0, fusion.n_queries)), rows, columns))
    return float((1 / best).mean())


def noise(seed: int, n_queries: int, n_images: int, n_parts: int) -> list[Given]:
    rng = np.random.default_rng(seed)
    return [Given(rng.normal(size=(n_queries, n_images))) for _ in range(n_parts)]


def helpful(seed: int, n_queries: int, n_images: int) -> tuple[list[Given], Integers, Integers]:
    """Return two systems that know something of different halves of the queries, and the relevant pairs."""
    rng = np.random.default_rng(seed)
    columns, rows = rng.integers(0, n_images, n_queries), np.arange(n_queries)
    scores = rng.normal(size=(2, n_queries, n_images))
    scores[0, rows[::2], columns[::2]] += 3.0
    scores[1, rows[1::2], columns[1::2]] += 3.0
    return [Given(scores[0]), Given(scores[1])], rows, columns


def chosen(tuning: Tuning) -> list[list[float]]:
    return tuning.of_folds.tolist()


@pytest.mark.parametrize("method", ["scores", "ranks"])
def test_each_query_is_scored_with_the_best_weights_of_the_other_folds(
    method: Method, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A naive search over a fusion of its own for every weight, of the queries of the other folds alone."""
    monkeypatch.setattr(tuning_module, "IMAGES", 7)
    parts, rows, columns = helpful(1, 40, 25)
    rows, columns = np.repeat(rows, 2), np.stack([columns, (columns + 7) % 25], axis=1).ravel()
    clusters = np.arange(40) // 2
    tuning = tune("ab", parts, ids(40), rows, columns, clusters, method=method)
    points, found = grid(2), tuning.folds
    best: list[list[float]] = []
    for fold in range(FOLDS):
        seen = np.flatnonzero(found != fold)
        subset = [Given(part.scores(slice(0, 40))[seen]) for part in parts]
        own = np.isin(rows, seen)
        places = np.searchsorted(seen, rows[own])
        quality = [
            mrr(
                Fusion("ab", subset, Weighting(np.tile(point, (len(seen), 1)), tuning.units), method),
                places,
                columns[own],
            )
            for point in points
        ]
        best.append(points[int(np.argmax(np.round(quality, 12)))].tolist())
    assert chosen(tuning) == best
    np.testing.assert_array_equal(tuning.of_queries, tuning.of_folds[found])
    fused = Fusion("ab", parts, tuning.weighting(), method)
    assert tuning.cross_fitted == pytest.approx(mrr(fused, rows, columns))
    everything = Fusion("ab", parts, Weighting(np.tile(tuning.weights, (40, 1)), tuning.units), method)
    assert tuning.in_sample == pytest.approx(mrr(everything, rows, columns))
    assert tuning.in_sample == max(point.mrr for point in tuning.curve)


def test_no_cluster_is_in_two_folds_and_the_folds_are_about_equal() -> None:
    clusters = np.random.default_rng(0).integers(0, 60, 300)
    folds = make_folds(ids(300), clusters)
    assert all(len(np.unique(folds[clusters == cluster])) == 1 for cluster in np.unique(clusters))
    assert np.ptp(np.bincount(folds, minlength=FOLDS)) <= 5


def test_neither_the_order_of_queries_nor_threads_nor_the_numbers_of_clusters_change_anything() -> None:
    parts, rows, columns = helpful(2, 50, 30)
    clusters = np.arange(50) // 3
    one = tune("ab", parts, ids(50), rows, columns, clusters, threads=1)
    many = tune("ab", parts, ids(50), rows, columns, clusters, threads=7)
    assert one.as_json(clusters) == many.as_json(clusters)
    order = np.random.default_rng(0).permutation(50)
    moved = [Given(part.scores(slice(0, 50))[order]) for part in parts]
    names = np.random.default_rng(1).permutation(17)[clusters[order]]
    other = tune("ab", moved, [ids(50)[query] for query in order], rows, columns[order], names)
    assert one.as_json(clusters) == other.as_json(names)
    np.testing.assert_array_equal(one.of_queries[order], other.of_queries)


@pytest.mark.parametrize("n_systems", range(1, 9))
def test_the_grid_covers_the_simplex_and_begins_with_equal_weights(n_systems: int) -> None:
    points = grid(n_systems)
    np.testing.assert_allclose(points.sum(axis=1), 1.0)
    assert len(np.unique(points, axis=0)) == len(points) <= 101
    np.testing.assert_array_equal(points[0], np.full(n_systems, 1 / n_systems))
    assert {tuple(row) for row in np.eye(n_systems)} <= {tuple(point) for point in points.tolist()}
    if n_systems == 3:
        naive = {c for c in product(range(11), repeat=3) if sum(c) == 10}
        assert {tuple(np.rint(point * 10).astype(int).tolist()) for point in points[1:]} == naive


def test_of_equally_good_weights_the_most_balanced_are_taken() -> None:
    """Both systems find every image: any weight will do."""
    scores = np.eye(20)
    every = np.arange(20)
    tuning = tune("ab", [Given(scores), Given(scores * 2)], ids(20), every, every, every)
    assert tuning.weights.tolist() == [0.5, 0.5]
    assert chosen(tuning) == [[0.5, 0.5]] * FOLDS
    assert tuning.in_sample == tuning.cross_fitted == 1.0


def test_with_few_clusters_nothing_is_chosen_and_it_is_said() -> None:
    parts, rows, columns = helpful(3, 60, 20)
    tuning = tune("ab", parts, ids(60), rows, columns, np.arange(60) % 9)
    assert tuning.of_queries.tolist() == [[0.5, 0.5]] * 60
    figures = tuning.as_json(np.arange(60) % 9)
    assert figures["why_equal"] == (
        "equal weights, as weights are tuned on at least 10 independent groups of queries, and there are 9"
    )
    assert [fold["n_queries"] for fold in figures["folds"]] == [60]
    assert tune("ab", parts, ids(60), rows, columns, np.arange(60) % 10).why_equal == ""


def test_the_curve_is_of_the_second_of_two_systems_and_of_each_of_more() -> None:
    parts, rows, columns = helpful(4, 40, 25)
    two = tune("ab", parts, ids(40), rows, columns, np.arange(40))
    assert [(point.part, point.weight) for point in two.curve] == [("b", step / 20) for step in range(21)]
    for point in two.curve:
        fusion = Fusion("ab", parts, Weighting(np.tile([1 - point.weight, point.weight], (40, 1)), two.units))
        assert point.mrr == pytest.approx(mrr(fusion, rows, columns))
    assert [point.weight for point in two.curve if point.chosen] == [two.weights[1]]
    three = tune("abc", [*parts, noise(0, 40, 25, 1)[0]], ids(40), rows, columns, np.arange(40))
    assert {point.part for point in three.curve} == set("abc")
    for name, weight in zip("abc", three.weights, strict=True):
        best = max((p for p in three.curve if p.part == name), key=lambda p: p.mrr)
        assert best.mrr == three.in_sample
        assert [p.weight for p in three.curve if p.part == name and p.chosen] == [weight]


def chance(n_images: int) -> float:
    return sum(1 / rank for rank in range(1, n_images + 1)) / n_images


def test_the_cross_fitted_figure_of_a_fusion_of_noise_is_at_chance_and_the_in_sample_one_is_not() -> None:
    """Eight systems that know nothing, measured with weights chosen by the same queries and by others."""
    n_queries, n_images, repeats = 60, 50, 30
    found = []
    for seed in range(repeats):
        parts = noise(seed, n_queries, n_images, 8)
        columns = np.random.default_rng(1000 + seed).integers(0, n_images, n_queries)
        tuning = tune("abcdefgh", parts, ids(n_queries), np.arange(n_queries), columns, np.arange(n_queries))
        found.append((tuning.in_sample, tuning.cross_fitted))
    in_sample, cross_fitted = np.array(found).T
    errors = np.array(found).std(axis=0, ddof=1) / math.sqrt(repeats)
    assert abs(cross_fitted.mean() - chance(n_images)) < 3 * errors[1]
    assert in_sample.mean() - chance(n_images) > 8 * errors[0]
    assert in_sample.mean() > 1.3 * cross_fitted.mean()


def test_a_system_that_is_right_only_of_one_cluster_is_caught() -> None:
    """A leak: 45 variants of one query, for which the second system happens to rank the right image first.

    Of the 45 other queries, it is wrong and the first system often right. Weights that saw other variants of the
    query give the second system enough weight, and all variants are found. With folds that keep the cluster together,
    nothing speaks for it but the queries that it would be measured on: they stay near chance.
    """
    n_queries, n_images, n_variants, found = 90, 100, 45, []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        rows, columns = np.arange(n_queries), rng.integers(0, n_images, n_queries)
        columns[:n_variants] = 17
        knows, leaks = rng.normal(size=(2, n_queries, n_images))
        knows[rows[n_variants:], columns[n_variants:]] += 2.0
        leaks[:n_variants, 17] += 6.0
        leaks[rows[n_variants:], columns[n_variants:]] -= 3.0
        parts = [Given(knows), Given(leaks)]
        for clusters in (rows, np.maximum(rows - n_variants + 1, 0)):
            tuning = tune("ab", parts, ids(n_queries), rows, columns, clusters)
            fused = Fusion("ab", parts, tuning.weighting()).scores(slice(0, n_variants))
            found.append(float((1 / ranks(fused, rows[:n_variants], columns[:n_variants])).mean()))
    planted, caught = np.array(found).reshape(-1, 2).T
    assert planted.min() > 0.8, "folds that split the cluster show what the weights have seen"
    assert caught.mean() < 1.5 * chance(n_images), "folds of whole clusters do not"


def test_weights_as_free_as_a_query_find_images_among_noise_and_tuned_ones_do_not() -> None:
    """What tuning must not be: each query with the weights that are best for it."""
    n_queries, n_images, found = 60, 50, []
    for seed in range(12):
        parts = noise(seed, n_queries, n_images, 8)
        rows, columns = np.arange(n_queries), np.random.default_rng(seed).integers(0, n_images, n_queries)
        quality = reciprocal_ranks_at(grid(8), parts, measure_units(parts, "scores"), rows, columns)
        tuned = tune("abcdefgh", parts, ids(n_queries), rows, columns, rows)
        found.append((quality.max(axis=1).mean(), tuned.cross_fitted))
    free, cross_fitted = np.mean(found, axis=0)
    assert free > 4 * chance(n_images)
    assert cross_fitted < 1.2 * chance(n_images)


def test_a_query_without_a_relevant_image_is_refused() -> None:
    parts = noise(0, 20, 10, 2)
    with pytest.raises(ValueError, match="a relevant image of every query"):
        tune("ab", parts, ids(20), np.arange(19), np.arange(19) % 10, np.arange(20))
    with pytest.raises(ValueError, match="an id and a cluster for each of 20 queries, found 19 ids"):
        tune("ab", parts, ids(19), np.arange(20), np.arange(20) % 10, np.arange(20))
