"""Stage ``evaluate``: every system on every source beside chance level, systems compared, and queries worth looking at.

A source of which nothing is asked has no figures. A table with a row a query is made once for each system and source;
all figures, charts and examples follow from it.
"""

import json
from collections.abc import Container, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

from stages import run
from text2image.artifacts import ARTIFACTS, existing
from text2image.base.console import say
from text2image.collection.manifest import read_groups
from text2image.evaluation import results as tables
from text2image.evaluation.examples import (
    SHOWN,
    Picture,
    Ranking,
    choose_examples,
    labelled_images,
    with_reasons,
)
from text2image.evaluation.fusion_weights import fusion_weights
from text2image.evaluation.judged import judged_at, judgement_figures
from text2image.evaluation.leaderboard import cost_of
from text2image.evaluation.outputs import make_outputs
from text2image.evaluation.query_sets import judge_sources
from text2image.evaluation.summary import Resampling, part_label, training_data
from text2image.formats.files import write_json
from text2image.formats.origins import circular_pairs, read_origins
from text2image.formats.searched import read_searched
from text2image.formats.tables import read_csv, write_csv
from text2image.formats.trec import Qrels, Run, read_qrels, read_run
from text2image.params import Params
from text2image.queries.asked import read_left_out_sources
from text2image.queries.judgements import read_judgements
from text2image.queries.query import read_label_queries, read_query_kinds
from text2image.queries.split import read_split

WHY = ("query_id", "image_id", "why")
"""The columns of data/why/SYSTEM/SOURCE.csv."""


def read_json(path: Path) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return value


def write_examples(
    params: Params,
    source: str,
    results: tables.AllResults,
    runs: Mapping[str, Run],
    relevant: Qrels,
    circular: Container[tuple[str, str]],
) -> None:
    """Write data/examples/SOURCE.csv: the rankings that are worth looking at, and the images that texts come from."""
    carriers = {query.query_id: query.relevant for query in read_label_queries(ARTIFACTS.labels(source))}
    rankings = {}
    for system, ranking in runs.items():
        own = labelled_images(tables.read_ranks(ARTIFACTS.ranks(system, source)), carriers)
        rankings[system] = Ranking(results[system, source], ranking, own, (system, source) in circular)
    examples = list(choose_examples(rankings, relevant, carriers, **params.examples.model_dump()))
    explained = with_reasons(examples, lambda system: read_csv(ARTIFACTS.why(system, source), WHY))
    write_csv(ARTIFACTS.examples(source), Picture._fields, explained)


def write_judgements_and_examples(
    params: Params,
    sources: Sequence[str],
    results: tables.AllResults,
    circular: Container[tuple[str, str]],
) -> None:
    """Write how much of what was found has been judged, and what is worth looking at, from the rankings."""
    ks, systems = params.evaluate.k, params.retrieve.systems
    judgements, judged = read_judgements(ARTIFACTS.judgements), {}
    qrels = {source: read_qrels(ARTIFACTS.qrels(source)) for source in sources}
    for source, relevant in qrels.items():
        runs = {name: read_run(ARTIFACTS.run(name, source), depth=max(*ks, SHOWN)) for name in systems}
        judged[source] = judged_at(runs, source, judgements, ks)
        write_examples(params, source, results, runs, relevant, circular)
    write_json(ARTIFACTS.metrics("judgements"), judgement_figures(judgements, qrels, judged))


def measure(
    params: Params, sources: Sequence[str], systems: Mapping[str, Mapping[str, Any]]
) -> tables.AllResults:
    """Return the results of all systems on all sources, and write them.

    Raises:
        InputError: a system answers what a fine-tuned model that it uses has seen.
    """
    group_of, n_images = read_groups(ARTIFACTS.catalog), len(read_searched(ARTIFACTS.searched).image_ids)
    tuned, results = params.tuned_models(), tables.AllResults()
    splits = {run: read_split(ARTIFACTS.split(run), group_of) for run in params.tuned_runs()}
    kinds = {source: read_query_kinds(ARTIFACTS.labels(source)) for source in sources}
    for system, source in product(systems, sources):
        ranks = tables.read_ranks(ARTIFACTS.ranks(system, source))
        for run_of_model in {tuned[model] for model in systems[system]["models"] if model in tuned}:
            tables.refuse_leaks(ranks, system, splits[run_of_model], params.evaluate.part)
        results[system, source] = tables.make_results(ranks, group_of, n_images, kinds[source])
        tables.write_results(ARTIFACTS.results(system, source), results[system, source])
    return results


def main(params: Params) -> None:
    without = read_left_out_sources(ARTIFACTS.left_out_sources)
    sources = [source for source in params.label.sources if source not in without]
    systems = {name: read_json(ARTIFACTS.system(name)) for name in params.retrieve.systems}
    results, settings, runs = measure(params, sources, systems), params.evaluate, params.tuned_runs()
    left_out = {source: read_csv(ARTIFACTS.left_out(source), ["text", "reason"]) for source in sources}
    n_excluded = len(read_groups(ARTIFACTS.catalog)) - len(read_searched(ARTIFACTS.searched).image_ids)
    excluded = training_data(runs, settings.part, left_out, n_excluded)
    how, label = Resampling(settings.resamples, settings.seed), part_label(runs, settings.part)
    origins = {source: read_origins(existing(ARTIFACTS.origins(source))) for source in sources}
    circular = circular_pairs({name: about["origins"] for name, about in systems.items()}, origins)
    cards = {model: read_json(ARTIFACTS.card(model)) for model in params.embed.models}
    costs = {name: cost_of(about, cards, about["usd_per_1000_queries"]) for name, about in systems.items()}
    outputs = make_outputs(results, settings.k, how, costs, excluded, circular, label)
    metrics, comparison, plots, said = outputs
    write_json(ARTIFACTS.metrics("metrics"), metrics)
    write_json(ARTIFACTS.metrics("comparison"), comparison)
    weights = {(name, source): read_json(ARTIFACTS.weights(name, source)) for name, source in results}
    plots["fusion_weights"] = fusion_weights(weights, circular)
    for name, table in plots.items():
        tables.write_table(ARTIFACTS.plot(name), table)
    about_sources, more = judge_sources(results, left_out, origins, circular, how)
    write_json(ARTIFACTS.metrics("sources"), about_sources)
    say("\n".join([*said, *more]))
    write_judgements_and_examples(params, sources, results, circular)
    for source in without:
        write_csv(ARTIFACTS.examples(source), Picture._fields, [])


if __name__ == "__main__":
    run(main)
