"""Stage ``evaluate``: every model on every source beside chance level, models compared, and queries worth looking at.

A table with a row a query is made once for each model and source; measures, intervals, comparisons, charts and
examples all follow from it. How much of what was found has been judged is said besides.
"""

from __future__ import annotations

import json
from itertools import product

from stages import run
from text2image.artifacts import ARTIFACTS
from text2image.base.console import say
from text2image.collection.manifest import read_groups
from text2image.evaluation.examples import SHOWN, Picture, choose_examples
from text2image.evaluation.judged import judged_at, uncounted
from text2image.evaluation.measures import reported
from text2image.evaluation.outputs import make_outputs
from text2image.evaluation.results import (
    AllResults,
    make_results,
    read_ranks,
    refuse_leaks,
    write_results,
    write_table,
)
from text2image.evaluation.summary import Resampling, training_data
from text2image.formats.files import write_json
from text2image.formats.searched import read_searched
from text2image.formats.tables import read_csv, write_csv
from text2image.formats.trec import read_qrels, read_run
from text2image.params import Params
from text2image.queries.agreement import judge_agreement
from text2image.queries.judgements import read_judgements
from text2image.queries.split import read_split


def write_rankings(params: Params, results: AllResults) -> None:
    """Say how much of the rankings is judged, and choose those that are worth looking at."""
    ks, models, rows = params.evaluate.k, params.embed.models, read_judgements(ARTIFACTS.judgements)
    judged: dict[str, dict[str, dict[str, float]]] = {model: {} for model in models}
    asked = {source: read_qrels(ARTIFACTS.qrels(source)) for source in params.label.sources}
    for source, qrels in asked.items():
        runs = {model: read_run(ARTIFACTS.run(model, source), depth=max(*ks, SHOWN)) for model in models}
        of_source = {model: results[model, source] for model in models}
        pictures = choose_examples(of_source, runs, qrels, **params.examples.model_dump())
        write_csv(ARTIFACTS.examples(source), Picture._fields, pictures)
        for model in models:
            judged[model][source] = judged_at(runs[model], source, rows, ks)
    agreement = {source: judge_agreement(source, rows) for source in asked}
    figures = {"results": judged, "sources": agreement, "uncounted": uncounted(rows, asked)}
    write_json(ARTIFACTS.metrics("judgements"), figures)


def main(params: Params) -> None:
    settings, tuned, results = params.evaluate, params.tuned_models(), AllResults()
    group_of, n_images = read_groups(ARTIFACTS.catalog), len(read_searched(ARTIFACTS.searched).image_ids)
    for model, source in product(params.embed.models, params.label.sources):
        ranks = read_ranks(ARTIFACTS.ranks(model, source))
        if model in tuned:
            refuse_leaks(ranks, model, read_split(ARTIFACTS.split(tuned[model]), group_of), settings.part)
        results[model, source] = make_results(ranks, group_of, n_images, reported(settings.k))
        write_results(ARTIFACTS.results(model, source), results[model, source])
    left_out = {source: read_csv(ARTIFACTS.left_out(source), ["reason"]) for source in params.label.sources}
    outputs = make_outputs(
        results,
        settings.k,
        Resampling(settings.resamples, settings.seed),
        cards={model: json.loads(ARTIFACTS.card(model).read_text("utf-8")) for model in params.embed.models},
        excluded={
            source: training_data(params.tuned_runs(), settings.part, rows, len(group_of) - n_images)
            for source, rows in left_out.items()
        },
        label=params.part_label(),
    )
    write_json(ARTIFACTS.metrics("metrics"), outputs.metrics)
    write_json(ARTIFACTS.metrics("comparison"), outputs.comparison)
    for name, table in outputs.tables.items():
        write_table(ARTIFACTS.plot(name), table)
    say("\n".join(outputs.sentences))
    write_rankings(params, results)


if __name__ == "__main__":
    run(main)
