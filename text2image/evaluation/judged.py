"""How much of what was found has been judged: a low share says that a score is a lower bound."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from text2image.formats.texts import query_id
from text2image.formats.trec import Run
from text2image.queries.agreement import judge_agreement
from text2image.queries.judgements import JudgementRow


def judged_at(
    runs: Mapping[str, Run], source: str, rows: Sequence[JudgementRow], ks: Sequence[int]
) -> dict[str, dict[str, float]]:
    """Return ``{system: {"judged@k": …}}`` of the systems' runs on one source.

    Judged@k is the mean over queries of the share of the first k images that anyone has judged, in [0, 1]. Where
    fewer than k images are ranked, all of them count.

    Source: Buckley and Voorhees, Retrieval Evaluation with Incomplete Information, 2004.

    Args:
        runs: by system, at least the first ``max(ks)`` images of every query, or all that were searched.
        source: the label source.
        rows: all judgements.
        ks: the cut-offs.
    """
    pairs = {(query_id(row.query), row.image_id) for row in rows if row.source == source}
    shares = {}
    for system, run in runs.items():
        depth = min(max(ks), min(map(len, run.values())))
        judged = np.array(
            [[(query, image) in pairs for image, _ in images[:depth]] for query, images in run.items()]
        )
        shares[system] = {f"judged@{k}": float(judged[:, :k].mean(axis=1).mean()) for k in ks}
    return shares


def judgement_figures(
    rows: Sequence[JudgementRow],
    asked: Mapping[str, Collection[str]],
    judged: Mapping[str, Mapping[str, Mapping[str, float]]],
) -> dict[str, Any]:
    """Return metrics/judgements.json.

    Args:
        rows: all judgements.
        asked: ``{source: query_ids}`` of the listed sources.
        judged: ``{source: judged_at(…)}``.
    """
    systems = next(iter(judged.values()))
    return {
        "results": {system: {source: of[system] for source, of in judged.items()} for system in systems},
        "sources": {source: judge_agreement(source, rows) for source in asked},
        "uncounted": uncounted(rows, asked),
    }


def uncounted(rows: Sequence[JudgementRow], asked: Mapping[str, Collection[str]]) -> int:
    """Return how many images are judged for a query of a source that does not ask it.

    Such judgements count for no score: what was searched for on the page of ``t2i app``, say.

    Args:
        rows: several of one image for one query count once.
        asked: ``{source: query_ids}`` of the listed sources.
    """
    pairs = {(row.source, query_id(row.query), row.image_id) for row in rows}
    return sum(query not in asked.get(source, ()) for source, query, _ in pairs)
