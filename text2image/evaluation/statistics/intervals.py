"""Intervals of means over queries that are not independent: the BCa cluster bootstrap.

Queries about near-duplicates of one image succeed and fail together, so whole clusters of them are
drawn with replacement, never single queries. Resampled means are ratios ``sum / count`` over the
drawn clusters. The interval is BCa (bias-corrected and accelerated; the acceleration from leaving out
one cluster at a time) with its level widened for few clusters, since a bootstrap of g clusters spreads
by ``sqrt((g - 1) / g)`` too little and has normal, not Student's t, tails. It was chosen by simulation
over the percentile interval, which falls short for skewed measures, and over bootstrap-t, which leaves
[0, 1] and explodes for hit rates near 1. It keeps within the bounds by construction.

The same queries give the same bytes: values count in units of 2^-30 (an error below 1e-9), so every sum
is exact in float64 whatever the order, the BLAS or the machine; each measure's clusters are sorted by
what they hold, not by their labels; and an end of an interval is a resampled mean, not interpolated.

Sources: Efron, Better Bootstrap Confidence Intervals, 1987; Davison and Hinkley, Bootstrap Methods and
their Application, 1997, section 3.8 (clusters); Hesterberg, What Teachers Should Know about the
Bootstrap, 2015 (the widened level); Clopper and Pearson, 1934 (when nothing varies).
"""

import math
from collections.abc import Iterator
from statistics import NormalDist

import numpy as np
from scipy.special import stdtrit

from text2image.base.arrays import Floats, Integers
from text2image.queries.clusters import UNIT, canonical, cluster_sums, is_constant

LEVEL = 0.95
BLOCK_DRAWS = 2**21
"""Clusters drawn at a time (counts as float64: 16 MiB)."""

NORMAL = NormalDist()


def cluster_intervals(
    values: Floats,
    clusters: Integers,
    *,
    resamples: int = 2000,
    seed: int,
    bounds: tuple[float, float] = (0.0, 1.0),
) -> tuple[Floats, Floats]:
    """Return the 95 % interval of each measure's mean over queries, by BCa bootstrap of whole clusters.

    Where every cluster has the same mean, a resample shows no spread: see :func:`constant_interval`.

    Args:
        values: ``(n_queries, n_measures)`` float64 within ``bounds``.
        clusters: ``(n_queries,)`` int64, the cluster of each query; any labels.
        resamples: 2,000 or more.
        seed: the same seed gives the same bytes, whatever the order of queries, labels or measures.
        bounds: what a value can be, within [-1, 1].

    Returns:
        ``(low, high)``, each ``(n_measures,)`` float64 within ``bounds``.

    Raises:
        ValueError: no query, lengths that differ, or values outside ``bounds``.
    """
    if np.any(values < bounds[0] - UNIT / 2) or np.any(values > bounds[1] + UNIT / 2):
        raise ValueError(f"expected values within {bounds}, found {values.min():g} … {values.max():g}")
    sums, counts = canonical(*cluster_sums(values, clusters))
    means = bootstrap_means(sums, counts, resamples, seed)
    ends = [
        constant_interval(sums[:, j], counts[:, j], bounds) or _bca(sums[:, j], counts[:, j], means[:, j])
        for j in range(values.shape[1])
    ]
    low, high = np.array(ends, dtype=np.float64).reshape(-1, 2).T
    return low, high


def difference_intervals(
    differences: Floats, clusters: Integers, *, resamples: int = 2000, seed: int
) -> tuple[Floats, Floats]:
    """Return :func:`cluster_intervals` of paired differences in [-1, 1]; opposite ones, opposite ends.

    Draws hit positions in sorted order, so a difference and its opposite would get other draws:
    of the two, the one whose sorted sums come later in lexicographic order is resampled.
    """
    sums, counts = cluster_sums(differences, clusters)
    here, there = (np.concatenate(canonical(side, counts)) for side in (sums, -sums))
    apart = np.argmax(here != there, axis=0)[None]
    sign = np.sign(np.take_along_axis(here - there, apart, axis=0))[0]
    turned = np.where(sign < 0, -differences, differences)
    low, high = cluster_intervals(turned, clusters, resamples=resamples, seed=seed, bounds=(-1.0, 1.0))
    even = np.maximum(-low, high)  # of a difference that looks like its opposite
    return (
        np.select([sign > 0, sign < 0], [low, -high], -even),
        np.select([sign > 0, sign < 0], [high, -low], even),
    )


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
    totals = [weights @ columns for weights in cluster_weights(len(sums), resamples, seed, BLOCK_DRAWS)]
    drawn_sums, drawn_counts = np.split(np.concatenate(totals), 2, axis=1)
    means: Floats = drawn_sums / drawn_counts * UNIT
    return means


def cluster_weights(n_clusters: int, resamples: int, seed: int, block_draws: int) -> Iterator[Floats]:
    """Yield blocks ``(resamples of the block, n_clusters)``: how often each cluster was drawn.

    At most ``block_draws`` are held at a time, but at least one resample's.
    """
    generator = np.random.default_rng(seed)
    step = max(1, block_draws // n_clusters)
    for start in range(0, resamples, step):
        rows = min(step, resamples - start)
        draws = generator.integers(0, n_clusters, (rows, n_clusters))
        draws += np.arange(rows)[:, None] * n_clusters
        drawn = np.bincount(draws.ravel(), minlength=rows * n_clusters)
        yield drawn.reshape(rows, n_clusters).astype(np.float64)


def constant_interval(
    sums: Floats, counts: Floats, bounds: tuple[float, float]
) -> tuple[float, float] | None:
    """Return the interval of clusters that all have one mean v; None where they differ.

    [v, v] would claim certainty from three queries. By Clopper and Pearson, g such clusters leave a share up to
    ``1 - q``, ``q = ((1 - LEVEL) / 2)^(1 / g)``, of clusters like none of them; these may score anything
    within the bounds: ``[q v + (1 - q) min, q v + (1 - q) max]``.
    """
    if not is_constant(sums, counts):
        return None
    seen = ((1.0 - LEVEL) / 2.0) ** (1.0 / len(sums))
    inside = seen * float(sums[0] / counts[0] * UNIT)
    return inside + (1.0 - seen) * bounds[0], inside + (1.0 - seen) * bounds[1]


def _bca(sums: Floats, counts: Floats, means: Floats) -> tuple[float, float]:
    """Return the BCa interval of one measure from its resampled means; at least two clusters."""
    n, total, size = len(sums), sums.sum(), counts.sum()
    estimate = total / size * UNIT
    below = np.sum(means < estimate) + np.sum(means == estimate) / 2.0
    bias = NORMAL.inv_cdf(float(below + 0.5) / (len(means) + 1))
    left_out = (total - sums) / (size - counts) * UNIT
    deviations = left_out.mean() - left_out
    acceleration = float(np.sum(deviations**3) / (6.0 * np.sum(deviations**2) ** 1.5))
    tail = math.sqrt(n / (n - 1)) * student_t((1.0 - LEVEL) / 2.0, n - 1)
    ordered = np.sort(means)
    low = math.ceil(_corrected(tail, bias, acceleration) * len(means)) - 1
    high = len(means) - math.ceil(_corrected(tail, -bias, -acceleration) * len(means))
    return float(ordered[max(low, 0)]), float(ordered[min(high, len(means) - 1)])


def _corrected(tail: float, bias: float, acceleration: float) -> float:
    """Return the share of resampled means below the end at ``tail``: Efron's equation for BCa."""
    shifted = bias + tail
    scale = 1.0 - acceleration * shifted
    return NORMAL.cdf(bias + shifted / scale) if scale > 0.0 else float(shifted > 0.0)


def standard_error(sums: Floats, counts: Floats) -> float:
    """Return the standard error of the mean over queries of one measure, for g independent clusters.

    ``sqrt(g / (g - 1) sum over clusters of (sum - mean count)^2) / n_queries``; 0.0 where all clusters
    have one mean, and for a single cluster. Source: Liang and Zeger, Longitudinal Data Analysis, 1986.
    """
    if is_constant(sums, counts):
        return 0.0
    n, residuals = len(sums), sums - sums.sum() / counts.sum() * counts
    return math.sqrt(n / (n - 1) * math.fsum(residuals**2)) / float(counts.sum()) * UNIT


def student_t(share: float, freedom: int) -> float:
    """Return Student's t quantile, as ``scipy.stats.t.ppf`` does, which takes 0.5 s longer to import.

    >>> round(student_t(0.975, 1), 4)
    12.7062
    """
    return float(stdtrit(freedom, share))
