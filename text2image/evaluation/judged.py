"""How much of what was found has been judged: a low share says that a score is a lower bound."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from text2image.base.arrays import Booleans, Floats
from text2image.formats.texts import query_id
from text2image.formats.trec import Run
from text2image.queries.judgements import JudgementRow


def judged(judgements: Booleans, k: int) -> Floats:
    """Return judged@k of each query: the share of its first k results that anyone has judged.

    Holes in the judgements count as not relevant. A gallery smaller than k is counted whole.

    >>> judged(np.array([[True, False], [False, False]]), 2).tolist()
    [0.5, 0.0]

    Source: Buckley and Voorhees, Retrieval Evaluation with Incomplete Information, 2004.

    Args:
        judgements: ``(n_queries, depth)`` bool, whether the result at each rank has a judgement.
        k: at least 1.

    Returns:
        ``(n_queries,)`` float64 in [0, 1].

    Raises:
        ValueError: k below 1, or no results.
    """
    if k < 1 or judgements.shape[1] == 0:
        raise ValueError(f"expected k ≥ 1 and at least one result a query, found {k}, {judgements.shape[1]}")
    share: Floats = judgements[:, :k].mean(axis=1, dtype=np.float64)
    return share


def judged_at(run: Run, source: str, rows: Sequence[JudgementRow], ks: Sequence[int]) -> dict[str, float]:
    """Return ``{"judged@k": mean over queries}`` of one model's run on one source.

    Args:
        run: at least the first ``max(ks)`` images of every query, or all that were searched.
        source: the label source.
        rows: all judgements.
        ks: the cut-offs.
    """
    pairs = {(query_id(row.query), row.image_id) for row in rows if row.source == source}
    depth = min(max(ks), min(len(images) for images in run.values()))
    table = np.array(
        [[(query, image) in pairs for image, _ in images[:depth]] for query, images in run.items()]
    )
    return {f"judged@{k}": float(judged(table, k).mean()) for k in ks}


def uncounted(rows: Sequence[JudgementRow], asked: Mapping[str, Collection[str]]) -> int:
    """Return how many images are judged for a query of a source that does not ask it.

    Such judgements count for no score: what was searched for on the page of ``t2i app``, say.

    Args:
        rows: all judgements; several of one image for one query count once.
        asked: ``{source: query_ids}`` of the listed sources.
    """
    pairs = {(row.source, query_id(row.query), row.image_id) for row in rows}
    return sum(query not in asked.get(source, ()) for source, query, _ in pairs)
