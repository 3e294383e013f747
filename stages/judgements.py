"""Stage ``judgements``: how much of the results has been judged, and how far judges agree.

Writes metrics/judgements.json: for every model and source judged@k, the share of the first k results that
anyone has judged (holes count as not relevant, so a low share says that a score is a lower bound); for
every source, the agreement of people and models where both judged; and how many judgements count for no
score, since no listed source asks their text (what was searched for on the page of ``make app``, say).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from stages import run
from text2image.artifacts import ARTIFACTS
from text2image.formats.files import write_json
from text2image.formats.texts import query_id
from text2image.formats.trec import read_run
from text2image.params import Params
from text2image.queries.agreement import cohen_kappa, judged
from text2image.queries.judgements import JudgementRow, is_person, read_judgements

Run = Mapping[str, Sequence[tuple[str, float]]]


def judged_at(found: Run, source: str, rows: Sequence[JudgementRow], ks: Sequence[int]) -> dict[str, float]:
    """Return ``{"judged@k": mean over queries}`` of one model's run on one source."""
    pairs = {(query_id(row.query), row.image_id) for row in rows if row.source == source}
    depth = min(max(ks), min(len(images) for images in found.values()))
    table = np.array(
        [[(query, image) in pairs for image, _ in images[:depth]] for query, images in found.items()]
    )
    return {f"judged@{k}": float(judged(table, k).mean()) for k in ks}


def agreement(source: str, rows: Sequence[JudgementRow]) -> dict[str, Any]:
    """Return how many pairs people and models both judged in one source, and their weighted kappa."""
    by_people: dict[tuple[str, str], int] = {}
    by_models: dict[tuple[str, str], int] = {}
    for row in rows:
        if row.source == source:
            judged_by = by_people if is_person(row.by) else by_models
            judged_by[query_id(row.query), row.image_id] = row.relevance
    both = sorted(by_people.keys() & by_models.keys())
    people = np.array([by_people[pair] for pair in both], dtype=np.int64)
    models = np.array([by_models[pair] for pair in both], dtype=np.int64)
    return {
        "by_people": len(by_people),
        "by_models": len(by_models),
        "by_both": len(both),
        "kappa_quadratic": cohen_kappa(people, models, "quadratic"),
    }


def uncounted(rows: Sequence[JudgementRow], asked: Mapping[str, Collection[str]]) -> int:
    """Return how many images are judged for a query of a source that does not ask it.

    Args:
        rows: all judgements; several of one image for one query count once.
        asked: ``{source: query_ids}`` of the listed sources.
    """
    pairs = {(row.source, query_id(row.query), row.image_id) for row in rows}
    return sum(query not in asked.get(source, ()) for source, query, _ in pairs)


def main(params: Params) -> None:
    rows = read_judgements(ARTIFACTS.judgements)
    ks, models = params.evaluate.k, params.embed.models
    results: dict[str, dict[str, Any]] = {model: {} for model in models}
    asked: dict[str, Collection[str]] = {}
    for model, source in product(models, params.label.sources):
        found = read_run(Path(f"data/runs/{model}/{source}.run"), depth=max(ks))
        results[model][source] = judged_at(found, source, rows, ks)
        asked[source] = found.keys()
    sources = {source: agreement(source, rows) for source in params.label.sources}
    figures = {"results": results, "sources": sources, "uncounted": uncounted(rows, asked)}
    write_json(Path("metrics/judgements.json"), figures)


if __name__ == "__main__":
    run(main)
