"""Five designs of queries in clusters, many repetitions at once: the ranks of two models, and sums over clusters."""

from typing import NamedTuple

import numpy as np
from scipy.special import ndtr

DESIGNS = ("ordinary", "skewed", "at chance", "giant cluster", "log-normal sizes")
N_IMAGES = 500
CORRELATION = 0.85
"""Of two queries of a cluster, and 0.6 of it between the models."""


class Sample(NamedTuple):
    """Repetitions of one design.

    Attributes:
        sizes: ``(n_clusters, repetitions)`` int64, the queries of each cluster.
        cluster: ``(n,)`` int64, of each query of all repetitions: repetition * n_clusters + cluster.
        ranks: ``(2, n)`` float64 in [1, N_IMAGES], of each query's image under two models; the second is better but
            for the design "at chance".
    """

    sizes: np.ndarray
    cluster: np.ndarray
    ranks: np.ndarray

    def sums(self, values: np.ndarray) -> np.ndarray:
        """Return the sum of ``values``, ``(n,)``, over each cluster: as ``sizes``, in units of 2^-30."""
        n_clusters, repetitions = self.sizes.shape
        units = np.rint(values * 2.0**30)
        return np.bincount(self.cluster, units, n_clusters * repetitions).reshape(repetitions, n_clusters).T


def draw(design: str, n_clusters: int, repetitions: int, seed: int, better: float = 0.7) -> Sample:
    """Draw log-normal ranks, by ``better`` less in the logarithm for the second model; larger clusters are easier."""
    generator = np.random.default_rng(seed)
    sizes = _sizes(design, (repetitions, n_clusters), generator)
    cluster = np.repeat(np.arange(sizes.size), sizes.ravel())

    def latent() -> np.ndarray:
        shared, own = generator.normal(size=sizes.size)[cluster], generator.normal(size=len(cluster))
        return np.sqrt(CORRELATION) * shared + np.sqrt(1.0 - CORRELATION) * own

    first, other = latent(), latent()
    models = np.stack([first, 0.6 * first + 0.8 * other])
    if design == "at chance":
        ranks = 1 + np.floor(ndtr(models) * N_IMAGES).clip(0, N_IMAGES - 1)
    else:
        ease = 0.3 * (np.minimum(sizes.ravel(), 5)[cluster] - 2.5) if design != "giant cluster" else 0.0
        difficulty = (3.5 if design == "skewed" else 1.0) - ease - better * np.array([[0.0], [1.0]])
        ranks = 1 + np.floor(np.exp(difficulty + 2.0 * models).clip(0, N_IMAGES - 1))
    return Sample(sizes.T, cluster, ranks)


def _sizes(design: str, shape: tuple[int, int], generator: np.random.Generator) -> np.ndarray:
    if design == "log-normal sizes":
        sizes = np.rint(np.exp(generator.normal(0.5, 1.2, shape))).clip(1, 200).astype(np.int64)
    else:
        sizes = generator.integers(1, 5, shape)
    if design == "giant cluster":  # as many queries as all others together have
        sizes[:, 0] = np.maximum(1, sizes[:, 1:].sum(axis=1))
    return sizes


def reciprocal_rank(ranks: np.ndarray) -> np.ndarray:
    return 1.0 / ranks


def hit(ranks: np.ndarray) -> np.ndarray:
    """Return whether the image is among the first five."""
    return (ranks <= 5).astype(np.float64)
