"""Connected components of pairs: what belongs together, directly or through others."""

import numpy as np
import numpy.typing as npt

from text2image.base.arrays import Integers

Hashes = npt.NDArray[np.uint64]


def connected_components(n: int, pairs: Integers) -> Integers:
    """Return the connected component of each of ``n`` items, numbered by first appearance: ``(n,)`` int64.

    Args:
        pairs: ``(n_pairs, 2)`` int64, the items that belong together; an item without a pair is a component.
    """
    if len(pairs) == 0:
        return np.arange(n)
    from scipy.sparse import coo_array, csgraph  # takes longer to import than most stages to run

    edges = coo_array((np.ones(len(pairs), dtype=np.int8), (pairs[:, 0], pairs[:, 1])), shape=(n, n))
    labels = csgraph.connected_components(edges, directed=False)[1]
    _, first, label = np.unique(labels, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[label].astype(np.int64)
