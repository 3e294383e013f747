"""Stage ``evaluate``: every model on every source beside chance level, models compared, and queries worth looking at.

A table with a row a query is made once for each model and source; measures, intervals, comparisons, charts and
examples all follow from it. How much of what was found has been judged is said besides.
"""

from __future__ import annotations

import json
from itertools import product
from typing import Any

from stages import run
from text2image.artifacts import ARTIFACTS
from text2image.base.console import say
from text2image.collection.manifest import read_groups
from text2image.evaluation.comparison import Scores, compare_models
from text2image.evaluation.curves import chart_tables, interval_table
from text2image.evaluation.examples import SHOWN, Picture, choose_examples
from text2image.evaluation.judged import judged_at, uncounted
from text2image.evaluation.leaderboard import leaderboard
from text2image.evaluation.measures import compared, headline, reported
from text2image.evaluation.results import (
    Results,
    make_results,
    read_ranks,
    refuse_leaks,
    write_results,
    write_table,
)
from text2image.evaluation.summary import Resampling, summarise, training_data
from text2image.formats.files import write_json
from text2image.formats.searched import read_searched
from text2image.formats.tables import read_csv, write_csv
from text2image.formats.trec import read_qrels, read_run
from text2image.params import Params
from text2image.queries.agreement import judge_agreement
from text2image.queries.asked import EXCLUDED
from text2image.queries.judgements import read_judgements
from text2image.queries.split_files import read_split

AllResults = dict[tuple[str, str], Results]  # by model and source


def read_results(params: Params, group_of: dict[str, int], n_images: int) -> AllResults:
    """Read the ranks of every model on every source and measure each query; refuse what a model has seen."""
    splits = {
        model: read_split(ARTIFACTS.split(name), group_of) for model, name in params.tuned_models().items()
    }
    results = {}
    for model, source in product(params.embed.models, params.label.sources):
        ranks = read_ranks(ARTIFACTS.ranks(model, source))
        refuse_leaks(ranks, model, splits.get(model, []), params.evaluate.part)
        results[model, source] = make_results(ranks, group_of, n_images, reported(params.evaluate.k))
    return results


def write_comparison(params: Params, results: AllResults) -> None:
    """Compare the models pair by pair and say what can be told."""
    measures = compared(params.evaluate.k)
    scores: dict[str, dict[str, Scores]] = {source: {} for source in params.label.sources}
    for (model, source), one in results.items():
        values = one.measures[list(map(str, measures))].to_numpy()
        scores[source][model] = Scores(one.queries["query_id"].tolist(), values, one.ranked.clusters)
    how = {"resamples": params.evaluate.resamples, "seed": params.evaluate.seed}
    table = compare_models(scores, measures, headline(params.evaluate.k), **how)
    write_json(ARTIFACTS.metrics("comparison"), table)
    for source, sentence in ((source, said) for source, row in table.items() for said in row["summary"]):
        say(f"{source}{params.part_label()}: {sentence}")


def write_judged_and_examples(params: Params, results: AllResults) -> None:
    """Say how much of the rankings is judged, and choose the queries that are worth looking at."""
    ks, models, rows = params.evaluate.k, params.embed.models, read_judgements(ARTIFACTS.judgements)
    judged: dict[str, dict[str, dict[str, float]]] = {model: {} for model in models}
    asked = {}
    for source in params.label.sources:
        depth, qrels = max(*ks, SHOWN), read_qrels(ARTIFACTS.qrels(source))
        runs = {model: read_run(ARTIFACTS.run(model, source), depth=depth) for model in models}
        of_source = {model: results[model, source] for model in models}
        pictures = choose_examples(of_source, runs, qrels, **params.examples.model_dump())
        write_csv(ARTIFACTS.examples(source), Picture._fields, pictures)
        for model in models:
            judged[model][source] = judged_at(runs[model], source, rows, ks)
        asked[source] = qrels.keys()
    agreement = {source: judge_agreement(source, rows) for source in params.label.sources}
    figures = {"results": judged, "sources": agreement, "uncounted": uncounted(rows, asked)}
    write_json(ARTIFACTS.metrics("judgements"), figures)


def main(params: Params) -> None:
    models, sources, ks = params.embed.models, params.label.sources, params.evaluate.k
    group_of, n_images = read_groups(ARTIFACTS.catalog), len(read_searched(ARTIFACTS.searched).image_ids)
    resampling = Resampling(params.evaluate.resamples, params.evaluate.seed)
    results, label = read_results(params, group_of, n_images), params.part_label()
    figures: dict[str, dict[str, dict[str, Any]]] = {model: {} for model in models}
    for (model, source), one in results.items():
        write_results(ARTIFACTS.results(model, source), one)
        left_out = read_csv(ARTIFACTS.left_out(source), ["reason"])
        n_excluded = sum(row["reason"] == EXCLUDED for row in left_out), len(group_of) - n_images
        figures[model][source] = training_data(params.tuned_runs(), params.evaluate.part, *n_excluded)
        figures[model][source] |= summarise(one.ranked, reported(ks), resampling, one.measures)
    write_json(ARTIFACTS.metrics("metrics"), figures)
    for name, table in chart_tables(results, resampling, label).items():
        write_table(ARTIFACTS.plot(name), table)
    write_table(ARTIFACTS.plot("intervals"), interval_table(figures, ks))
    sizes = {model: json.loads(ARTIFACTS.card(model).read_text(encoding="utf-8"))["size"] for model in models}
    write_table(ARTIFACTS.plot("leaderboard"), leaderboard(figures, sizes, sources, headline(ks)))
    for (model, source), one in results.items():
        chance, n_queries = figures[model][source]["chance"], len(one.queries)
        say(
            f"{model} {source}{label}: MRR {one.measures['mrr'].mean():.3f} (chance {chance['mrr']:.3f}), {n_queries} queries"
        )
    write_comparison(params, results)
    write_judged_and_examples(params, results)


if __name__ == "__main__":
    run(main)
