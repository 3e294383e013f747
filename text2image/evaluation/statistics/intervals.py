"""Intervals of means over queries that are not independent: the BCa cluster bootstrap, held off the edges.

Queries about near-duplicates of one image succeed and fail together, so whole clusters of them are
drawn with replacement, never single queries. Resampled means are ratios ``sum / count`` over the
drawn clusters. The interval is BCa (bias-corrected and accelerated; the acceleration from leaving out
one cluster at a time) with two changes, without which few, skewed or unequal clusters are covered too rarely:

- **pseudo-clusters**: a resample holds no query that is unlike those asked, such as the one in thirty that a system at
  chance level finds. The lower end is that of the clusters and one more, of mean size, at the lowest possible
  value; the upper end likewise at the highest. For differences both are added at once: one for each end gives
  intervals by a third wider than needed, since the bounds, -1 and 1, are far away;
- **a wider level**: of few clusters, or some that are much larger than others, resampled means spread too little,
  and their tails are Student's t; see :func:`_tail`.

``tests/evaluation/statistics/test_coverage.py`` has the simulation by which this was chosen. Fewer than
``MIN_CLUSTERS`` clusters have no interval.

The same queries give the same bytes: values count in units of 2^-30 (an error below 1e-9), so every sum
is exact in float64 whatever the order, the BLAS or the machine; each measure's clusters are sorted by
what they hold, not by their labels; and an end of an interval is a resampled mean, not interpolated.

Sources: Efron, Better Bootstrap Confidence Intervals, 1987; Davison and Hinkley, Bootstrap Methods and
their Application, 1997, section 3.8 (clusters); Hesterberg, What Teachers Should Know about the
Bootstrap, 2015 (the wider level); Agresti and Coull, 1998 (pseudo-observations); Kish, Survey Sampling, 1965, and
Satterthwaite, 1946 (unequal clusters); Clopper and Pearson, 1934 (when nothing varies).
"""

from collections.abc import Iterator

import numpy as np
from scipy.special import ndtr, ndtri, stdtrit

from text2image.base.arrays import Booleans, Floats, Integers
from text2image.queries.clusters import UNIT, canonical, cluster_sums

LEVEL = 0.95
MIN_CLUSTERS = 5
"""Fewer have no interval: none could be called one of 95 % and say anything."""

BLOCK_DRAWS = 2**21
"""Clusters drawn at a time (counts as float64: 16 MiB)."""

Bounds = tuple[float, float]
Ends = tuple[Floats, Floats]


def cluster_intervals(
    values: Floats,
    clusters: Integers,
    *,
    resamples: int = 2000,
    seed: int,
    bounds: Bounds = (0.0, 1.0),
) -> Ends:
    """Return the 95 % interval of each measure's mean over queries, by BCa bootstrap of whole clusters.

    Args:
        values: ``(n_queries, n_measures)`` float64 within ``bounds``.
        clusters: ``(n_queries,)`` int64, the cluster of each query; any labels.
        resamples: 2,000 or more.
        seed: the same seed gives the same bytes, whatever the order of queries, labels or measures.
        bounds: what a value can be, within [-1, 1].

    Returns:
        ``(low, high)``, each ``(n_measures,)`` float64 within ``bounds``; NaN below ``MIN_CLUSTERS`` clusters.

    Raises:
        ValueError: no query, lengths that differ, or values outside ``bounds``.
    """
    if np.any(values < bounds[0] - UNIT / 2) or np.any(values > bounds[1] + UNIT / 2):
        raise ValueError(f"expected values within {bounds}, found {values.min():g} … {values.max():g}")
    sums, counts = cluster_sums(values, clusters)
    sizes = np.broadcast_to(counts[:, None], sums.shape)
    return mean_intervals(sums, sizes, resamples=resamples, seed=seed, bounds=bounds)


def difference_intervals(
    differences: Floats, clusters: Integers, *, resamples: int = 2000, seed: int
) -> Ends:
    """Return the intervals of paired differences in [-1, 1], as :func:`cluster_intervals` does those of measures."""
    sums, counts = cluster_sums(differences, clusters)
    sizes = np.broadcast_to(counts[:, None], sums.shape)
    return mean_difference_intervals(sums, sizes, resamples=resamples, seed=seed)


def mean_intervals(
    sums: Floats, counts: Floats, *, resamples: int, seed: int, bounds: Bounds = (0.0, 1.0)
) -> Ends:
    """Return :func:`cluster_intervals` of sums over clusters, whose sizes may differ between measures.

    Args:
        sums: ``(n_clusters, n_measures)`` float64, in units of 2^-30.
        counts: as ``sums``: how many queries each cluster has.
        resamples, seed, bounds: as there.
    """
    if len(sums) < MIN_CLUSTERS:
        return _no_interval(sums)
    estimates = sums.sum(axis=0) / counts.sum(axis=0) * UNIT
    sides = [with_pseudo_clusters(sums, counts, bound) for bound in bounds]
    both_sums, both_counts = (np.concatenate(parts, axis=1) for parts in zip(*sides, strict=True))
    low, high = _bca(both_sums, both_counts, resamples, seed)  # at once, to share the draws
    n = len(estimates)
    ends = np.minimum(low[:n], estimates), np.maximum(high[n:], estimates)
    return _where_constant(sums, counts, bounds, ends)


def mean_difference_intervals(sums: Floats, counts: Floats, *, resamples: int, seed: int) -> Ends:
    """Return :func:`difference_intervals` of sums over clusters, as :func:`mean_intervals` takes them.

    Draws hit positions in sorted order, so a difference and its opposite would get other draws:
    of the two, the one whose sorted sums come later in lexicographic order is resampled.
    """
    if len(sums) < MIN_CLUSTERS:
        return _no_interval(sums)
    here, there = (np.concatenate(canonical(side, counts)) for side in (sums, -sums))
    apart = np.argmax(here != there, axis=0)[None]
    sign = np.sign(np.take_along_axis(here - there, apart, axis=0))[0]
    turned = np.where(sign < 0, -sums, sums)
    estimates = turned.sum(axis=0) / counts.sum(axis=0) * UNIT
    low, high = _bca(*with_pseudo_clusters(turned, counts, -1.0, 1.0), resamples, seed)
    ends = np.minimum(low, estimates), np.maximum(high, estimates)
    low, high = _where_constant(turned, counts, (-1.0, 1.0), ends)
    even = np.maximum(-low, high)  # of a difference that looks like its opposite
    return (
        np.select([sign > 0, sign < 0], [low, -high], -even),
        np.select([sign > 0, sign < 0], [high, -low], even),
    )


def _no_interval(sums: Floats) -> Ends:
    return np.full(sums.shape[1], np.nan), np.full(sums.shape[1], np.nan)


def with_pseudo_clusters(sums: Floats, counts: Floats, *values: float) -> Ends:
    """Return sums and counts with one more cluster at each of ``values``, of the mean size in whole queries.

    >>> sums, counts = with_pseudo_clusters(np.array([[0.0], [0.0]]), np.array([[1.0], [3.0]]), 1.0)
    >>> (sums * UNIT).tolist(), counts.tolist()
    ([[0.0], [0.0], [2.0]], [[1.0], [3.0], [2.0]])
    """
    size = np.rint(counts.mean(axis=0))
    more = [np.rint(value / UNIT) * size for value in values]
    return np.vstack([sums, *more]), np.vstack([counts, *[size] * len(values)])


def bootstrap_means(sums: Floats, counts: Floats, resamples: int, seed: int) -> Floats:
    """Return the mean of each measure over every resample of clusters.

    Args:
        sums: ``(n_clusters, n_measures)`` float64, in units of 2^-30.
        counts: as ``sums``: how many queries each cluster has.
        resamples: how often as many clusters are drawn with replacement.
        seed: of the draws.

    Returns:
        ``(resamples, n_measures)`` float64.
    """
    columns = np.concatenate([sums, counts], axis=1)
    totals = [weights @ columns for weights in cluster_weights(len(sums), resamples, seed)]
    drawn_sums, drawn_counts = np.split(np.concatenate(totals), 2, axis=1)
    means: Floats = drawn_sums / drawn_counts * UNIT
    return means


def cluster_weights(n_clusters: int, resamples: int, seed: int) -> Iterator[Floats]:
    """Yield blocks ``(resamples of the block, n_clusters)``: how often each cluster was drawn.

    At most ``BLOCK_DRAWS`` are held at a time, but at least one resample's.
    """
    generator = np.random.default_rng(seed)
    step = max(1, BLOCK_DRAWS // n_clusters)
    for start in range(0, resamples, step):
        rows = min(step, resamples - start)
        draws = generator.integers(0, n_clusters, (rows, n_clusters))
        draws += np.arange(rows)[:, None] * n_clusters
        drawn = np.bincount(draws.ravel(), minlength=rows * n_clusters)
        yield drawn.reshape(rows, n_clusters).astype(np.float64)


def _is_constant(sums: Floats, counts: Floats) -> Booleans:
    """Return for each measure whether all clusters have the same mean: exact, ``(n_measures,)`` bool."""
    same: Booleans = np.all(sums * counts[0] == sums[0] * counts, axis=0)
    return same


def _where_constant(sums: Floats, counts: Floats, bounds: Bounds, ends: Ends) -> Ends:
    """Return the ends, but for measures of which all clusters have one mean v, those by Clopper and Pearson.

    [v, v] would claim certainty from a few queries. g such clusters leave a share up to ``1 - q``,
    ``q = ((1 - LEVEL) / 2)^(1 / g)``, of clusters like none of them; these may score anything
    within the bounds: ``[q v + (1 - q) min, q v + (1 - q) max]``.
    """
    seen = ((1.0 - LEVEL) / 2.0) ** (1.0 / len(sums))
    inside, constant = seen * sums[0] / counts[0] * UNIT, _is_constant(sums, counts)
    low, high = (
        np.where(constant, inside + (1.0 - seen) * bound, end)
        for bound, end in zip(bounds, ends, strict=True)
    )
    return low, high


def _bca(sums: Floats, counts: Floats, resamples: int, seed: int) -> Ends:
    """Return the ends of the BCa interval of each measure; at least two clusters."""
    sums, counts = canonical(sums, counts)
    means = np.sort(bootstrap_means(sums, counts, resamples, seed), axis=0)
    totals, sizes = sums.sum(axis=0), counts.sum(axis=0)
    estimates = totals / sizes * UNIT
    below = np.sum(means < estimates, axis=0) + np.sum(means == estimates, axis=0) / 2.0
    bias, tail = ndtri((below + 0.5) / (resamples + 1)), _tail(counts)
    acceleration = _acceleration(((totals - sums) / (sizes - counts) * UNIT).T.copy())
    low = np.ceil(_corrected(tail, bias, acceleration) * resamples).astype(np.int64) - 1
    high = resamples - np.ceil(_corrected(tail, -bias, -acceleration) * resamples).astype(np.int64)
    ends = (np.clip(end, 0, resamples - 1)[None] for end in (low, high))
    low_means, high_means = (np.take_along_axis(means, end, axis=0)[0] for end in ends)
    return low_means, high_means


def _acceleration(left_out: Floats) -> Floats:
    """Return BCa's acceleration from the means without one cluster, ``(n_measures, n_clusters)``: a row a measure.

    Rows, so that a measure's sums add up in the same order whatever other measures there are.
    """
    deviations = left_out.mean(axis=1, keepdims=True) - left_out
    squares, cubes = np.sum(deviations**2, axis=1), np.sum(deviations**3, axis=1)
    acceleration: Floats = np.divide(cubes, 6.0 * squares**1.5, out=np.zeros_like(cubes), where=squares > 0.0)
    return acceleration


def _tail(counts: Floats) -> Floats:
    """Return the normal quantile to which the interval's lower tail is widened, for each measure.

    With w the shares of all queries that clusters hold, and their means varying alike, resampled means vary by the
    factor ``1 - 2 Σ w³ / Σ w² + Σ w²`` too little, for g of equal size ``(g - 1) / g``: residuals are the smaller
    the more their own cluster draws the mean to itself. Student's t has ``Σ w² / Σ w³ - 1`` degrees of freedom: one
    over the mean share, each cluster counted by what it adds to the variance, w². That lies between Kish's
    ``1 / Σ w²``, under which log-normal sizes are covered too rarely, and Satterthwaite's ``(Σ w²)² / Σ w⁴``, which
    costs a sixth more width; for g of equal size all three are g.

    >>> round(float(_tail(np.ones((6, 1)))[0]), 3)
    -2.816
    """
    shares = (counts / counts.sum(axis=0)).T.copy()
    squares, cubes = np.sum(shares**2, axis=1), np.sum(shares**3, axis=1)
    spread = np.maximum(1.0 - 2.0 * cubes / squares + squares, UNIT)
    tail: Floats = stdtrit(np.maximum(squares / cubes - 1.0, 1.0), (1.0 - LEVEL) / 2.0) / np.sqrt(spread)
    return tail


def _corrected(tail: Floats, bias: Floats, acceleration: Floats) -> Floats:
    """Return the share of resampled means below the end at ``tail``: Efron's equation for BCa."""
    shifted = bias + tail
    scale = 1.0 - acceleration * shifted
    inside = scale > 0.0
    share: Floats = np.where(
        inside, ndtr(bias + shifted / np.where(inside, scale, 1.0)), (shifted > 0.0).astype(np.float64)
    )
    return share
