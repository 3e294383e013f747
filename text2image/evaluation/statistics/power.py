"""Which difference would have shown? The smallest that a family's test claims with 80 % power, before it is made."""

import math

import numpy as np
from scipy.special import betaincinv, ndtri

from text2image.base.arrays import Floats
from text2image.evaluation.statistics.randomisation import ALPHA
from text2image.queries.clusters import UNIT

POWER = 0.8
STEPS = 60
"""Halvings of the range in which the tilt is looked for."""

MAX_TILT = 50.0


def detectable_difference(sums: Floats, counts: Floats, n_comparisons: int = 1) -> float | None:
    """Return the smallest true difference that Holm's first step would claim with 80 % power; None if there is none.

    That step tests at ``ALPHA / n_comparisons``. What a larger difference would look like follows by exponential
    tilting: clusters are weighted by ``exp(h d)``, d their mean difference, in the direction of the difference found
    (in both, and the larger of the two, if it is 0), until so many clusters drawn by these weights are claimed in four of five
    repetitions. Unlike a mere shift, a tilt keeps differences within [-1, 1] and makes more clusters differ. A sum of
    clusters' differences s is claimed if it exceeds ``z √(Σ s²)``, with z the normal quantile, corrected for the
    tails of sums with random signs (Cornish and Fisher) and for sums that go in steps, as those of hits do.

    Never below what can be reached at all: ``d`` clusters that differ, and in one direction, have a p-value of
    ``2^(1 - d)``, so that as many are needed as make it small enough, in four of five repetitions.

    Sources: Bloom, Minimum Detectable Effects, 1995; Efron, Nonparametric Standard Errors and Confidence
    Intervals, 1981 (tilting); Davison and Hinkley, Bootstrap Methods and their Application, 1997, section 4.4.

    Args:
        sums: ``(n_clusters,)`` float64, the summed differences of each cluster in units of 2^-30.
        counts: ``(n_clusters,)`` float64, the queries of each.
        n_comparisons: the size of the family.

    Returns:
        A difference of means in (0, 1]; None where not even clusters that all differ in one direction are enough.
    """
    least = _least_difference(sums, counts, n_comparisons)
    if least is None or not np.any(sums):
        return least
    total = float(sums.sum())
    directions = [1.0, -1.0] if total == 0.0 else [math.copysign(1.0, total)]
    differences = [_tilted_until_claimed(sign * sums, counts, n_comparisons) for sign in directions]
    reached = [one for one in differences if one is not None]
    return max(least, *reached) if len(reached) == len(directions) else None


def _tilted_until_claimed(sums: Floats, counts: Floats, n_comparisons: int) -> float | None:
    """Return the least mean difference, above 0, of tilted clusters that is claimed; None if none is."""
    order = np.lexsort((counts, sums))
    sums, counts = sums[order], counts[order]  # so that the order of clusters changes no byte
    low, high = -MAX_TILT, MAX_TILT
    for _ in range(STEPS):
        middle = (low + high) / 2.0
        low, high = (low, middle) if _tilted(sums, counts, middle, n_comparisons)[1] else (middle, high)
    difference, is_claimed = _tilted(sums, counts, high, n_comparisons)
    return difference if is_claimed else None


def clusters_needed(n_comparisons: int) -> int:
    """Return the fewest clusters that differ, all in one direction, with ``2^(1 - d) < ALPHA / n_comparisons``.

    >>> [clusters_needed(n) for n in (1, 4, 180)]
    [6, 8, 13]
    """
    return math.floor(math.log2(2.0 * n_comparisons / ALPHA)) + 1


def _least_difference(sums: Floats, counts: Floats, n_comparisons: int) -> float | None:
    """Return the difference at which enough clusters differ in four of five repetitions, all in one direction."""
    needed, differing = clusters_needed(n_comparisons), sums != 0.0
    if len(sums) < needed:
        return None
    share = float(betaincinv(needed, len(sums) - needed + 1, POWER))  # P(binomial >= needed) = POWER
    effect = float(np.abs(sums[differing]).mean() * UNIT / counts.mean()) if np.any(differing) else 1.0
    return share * effect


def _tilted(sums: Floats, counts: Floats, tilt: float, n_comparisons: int) -> tuple[float, bool]:
    """Return the mean difference of clusters tilted so far, and whether it is claimed with the power wanted."""
    n, values, tilts = len(sums), sums * UNIT, tilt * sums / counts * UNIT
    weights = np.exp(tilts - tilts.max())
    weights /= weights.sum()
    mean, second, fourth = (float(np.sum(weights * values**power)) for power in (1, 2, 4))
    z = -float(ndtri(ALPHA / (2.0 * n_comparisons)))
    z -= fourth / (n * second**2) * (z**3 - 3.0 * z) / 12.0
    step = float(np.gcd.reduce(np.abs(sums).astype(np.int64))) * UNIT  # sums go in steps of twice as much
    spread = math.sqrt(n * max(second - mean**2, 0.0))
    needed = z * math.sqrt(n * second) + step + float(ndtri(POWER)) * spread
    return mean / float(np.sum(weights * counts)), n * mean >= needed
