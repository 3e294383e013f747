"""What the charts of an evaluation draw is what the measures say."""

from pathlib import Path

import numpy as np
import pytest

from text2image.evaluation.curves import STEPS, hit_rate_curve, rank_shares, reciprocal_rank_curve
from text2image.evaluation.ranked import RankedQueries
from text2image.evaluation.results import decimals, write_table
from text2image.evaluation.summary import Resampling


def test_the_area_below_the_reciprocal_ranks_is_the_mrr() -> None:
    ranks = np.random.default_rng(0).integers(1, 400, 1000)
    for best in (ranks, ranks[ranks <= STEPS], ranks[ranks > STEPS], np.ones(3, dtype=np.int64)):
        shares, values = np.array(list(reciprocal_rank_curve(best))).T
        assert np.sum(np.diff(shares) * values[1:]) == pytest.approx(np.mean(1 / best))
        assert (shares[0], shares[-1]) == (0.0, pytest.approx(1.0))
        assert np.all(np.diff(values) <= 0)
        assert len(values) <= STEPS + 2
        assert sum(share for _, share in rank_shares(best)) == pytest.approx(1.0)


def test_the_curve_of_hit_rates_has_intervals() -> None:
    ranks, n_relevant = np.array([1, 3, 2, 9] * 2), np.array([1, 2, 1] * 2)
    queries = RankedQueries(ranks, np.full(8, 2), n_relevant, 10, np.arange(6))
    points = hit_rate_curve(queries, Resampling(2000, 1))
    assert points["k"].tolist() == [1, 2, 3, 5, 7, 10]
    assert points["hit_rate"].tolist() == pytest.approx([1 / 3, 2 / 3, 2 / 3, 2 / 3, 2 / 3, 1])
    assert (points["low"] <= points["hit_rate"]).all()
    assert (points["hit_rate"] <= points["high"]).all()
    assert points["chance"].iloc[[0, -1]].tolist() == pytest.approx([(0.1 + 0.2 + 0.1) / 3, 1.0])


def test_few_queries_have_points_without_intervals(tmp_path: Path) -> None:
    queries = RankedQueries(np.array([1, 3, 2]), np.full(3, 2), np.array([1, 1, 1]), 3, np.arange(3))
    points = hit_rate_curve(queries, Resampling(2000, 1)).pipe(decimals)
    write_table(tmp_path / "hit_rate.csv", points)
    assert (tmp_path / "hit_rate.csv").read_text().split("\n")[1] == "1,0.333333,,,0.333333"
