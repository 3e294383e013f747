"""What an approximate index finds: put in order by exact scores, and held against the exact ranking."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from text2image.retrieval.scores import exact_scores, from_keys, sort_keys

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]
Shares = npt.NDArray[np.float64]

NOTHING = np.iinfo(np.int64).min


def in_order(queries: Floats, images: Floats, candidates: Integers, k: int) -> tuple[Integers, Floats]:
    """Score candidates exactly and return the ``k`` best of each query, by the project's tie rule.

    Args:
        queries, images: ``(n_queries, dim)`` and ``(n_images, dim)`` float32, unit rows.
        candidates: ``(n_queries, n)`` columns of the gallery, each at most once a row; -1 for none.
        k: how many.

    Returns:
        ``(n_queries, min(k, n))`` columns, best first and -1 where there are no more, and their scores.
    """
    rows, places = np.nonzero(candidates >= 0)
    columns = candidates[rows, places]
    keys = np.full(candidates.shape, NOTHING)
    keys[rows, places] = sort_keys(exact_scores(queries, images, rows, columns), columns)
    keys = np.sort(keys, axis=1)[:, ::-1][:, :k]
    scores, found = from_keys(keys)
    return np.where(keys > NOTHING, found, -1), scores


def recalls(found: Integers, exact: Integers, ks: Sequence[int]) -> Shares:
    """Return the share of each query's exact first k that are among the first k found.

    Args:
        found, exact: ``(n_queries, n)`` columns, best first; -1 in ``found`` for none.
        ks: cut-offs; where fewer images are ranked, all of them count.

    Returns:
        ``(n_queries, len(ks))`` float64 in [0, 1].
    """
    return np.array(
        [
            [np.isin(wanted[:k], some[:k]).mean() for k in ks]
            for wanted, some in zip(exact, found, strict=True)
        ]
    )
