"""Stage ``evaluate``: measures of every model on every source, a row a query, and what the plots draw."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, product
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from stages import run
from text2image.artifacts import ARTIFACTS
from text2image.base.console import InputError, say
from text2image.collection.manifest import read_groups
from text2image.evaluation.curves import HitRateAt, hit_rate_curve, rank_shares, reciprocal_rank_curve
from text2image.evaluation.summary import RankedQueries, Resampling, per_query, summarise
from text2image.formats.files import write_json
from text2image.formats.searched import read_searched
from text2image.formats.tables import Row, chart_text, read_csv, write_csv
from text2image.params import Params
from text2image.queries.asked import EXCLUDED
from text2image.queries.clusters import query_clusters
from text2image.queries.split import others
from text2image.queries.split_files import read_split

RANKS = Path("data/ranks")
INTERVAL_COLUMNS = ("model", "source", "measure", "value", "low", "high", "chance")


class Result(NamedTuple):
    """What one query found; scores are cosine similarities in [-1, 1].

    ``best_irrelevant`` is None when the whole gallery is relevant.
    """

    query_id: str
    text: str
    n_relevant: int
    best_rank: int
    best_relevant: float
    best_irrelevant: float | None


def read_ranks(path: Path, group_of: dict[str, int]) -> tuple[list[Result], RankedQueries]:
    """Read the ranks of one model on one source: a result a query, and the arrays behind the measures.

    Args:
        path: data/ranks/MODEL/SOURCE.csv.
        group_of: ``{image_id: near-duplicate group}`` of the whole gallery; queries about images of
            one group are a cluster.
    """
    results: list[Result] = []
    relevant: list[tuple[int, int]] = []
    n_relevant: list[int] = []
    groups: list[int] = []
    for query_id, group in groupby(read_csv(path, ["query_id", "rank"]), key=itemgetter("query_id")):
        rows = list(group)
        hits = [row for row in rows if int(row["relevance"]) > 0]
        others = [float(row["score"]) for row in rows if int(row["relevance"]) == 0]
        results.append(_result(query_id, hits, others))
        relevant.extend((int(row["rank"]), int(row["relevance"])) for row in hits)
        n_relevant.append(len(hits))
        groups.extend(group_of[row["image_id"]] for row in hits)
    pairs, sizes = np.array(relevant, dtype=np.int64).reshape(-1, 2), np.array(n_relevant)
    clusters = query_clusters(np.repeat(np.arange(len(sizes)), sizes), np.array(groups), len(sizes))
    return results, RankedQueries(pairs[:, 0], pairs[:, 1], sizes, len(group_of), clusters)


def _result(query_id: str, hits: Sequence[Row], others: Sequence[float]) -> Result:
    best = min(hits, key=lambda row: int(row["rank"]))
    return Result(
        query_id,
        best["text"],
        len(hits),
        int(best["rank"]),
        float(best["score"]),
        others[0] if others else None,
    )


def write_results(
    model: str, source: str, results: Sequence[Result], queries: RankedQueries, ks: Sequence[int]
) -> None:
    """Write a row a query: its result, cluster and reciprocal rank; and apart from them its hits at every k.

    What depends on the results alone, such as the pictures of examples, thus does not run for another k.
    """
    table = per_query(queries, ks)
    rows = [
        (*result, cluster, f"{reciprocal:.6g}")
        for result, cluster, reciprocal in zip(results, queries.clusters, table["mrr"], strict=True)
    ]
    name = f"{model}/{source}.csv"
    write_csv(Path("data/results") / name, (*Result._fields, "cluster", "reciprocal_rank"), rows)
    hits = np.stack([table[f"hit_rate@{k}"] for k in ks], axis=1).astype(int)
    found = [(result.query_id, *row) for result, row in zip(results, hits.tolist(), strict=True)]
    write_csv(Path("data/hits") / name, ("query_id", *(f"hit@{k}" for k in ks)), found)


def decimals(values: Iterable[float]) -> list[str]:
    """Return figures as the tables of charts hold them."""
    return [f"{value:.6f}" for value in values]


def refuse_leaks(params: Params, group_of: dict[str, int]) -> None:
    """Refuse ranks in which a fine-tuned model answers queries of another part than ``evaluate.part``.

    Raises:
        InputError: a query, or an image ranked for one, belongs to another part of the model's split.
    """
    for (model, name), source in product(params.tuned_models().items(), params.label.sources):
        elsewhere = [
            row for row in read_split(ARTIFACTS.split(name), group_of) if row.part != params.evaluate.part
        ]
        queries, images = {row.query_id for row in elsewhere}, {row.image_id for row in elsewhere}
        path = RANKS / model / f"{source}.csv"
        rows = read_csv(path, ["query_id", "image_id"])
        seen = [row for row in rows if row["query_id"] in queries or row["image_id"] in images]
        if seen:
            raise InputError(
                f"expected {path} to hold what '{model}' has not seen (the {params.evaluate.part} part of "
                f"data/splits/{name}.csv), found {len({row['query_id'] for row in seen})} queries of other parts; "
                "evaluate.part: train measures them, labelled as such"
            )


def put_aside(params: Params, source: str, n_images: int) -> dict[str, Any]:
    """Return what metrics say of what fine-tuned models have seen: {} where none is in use."""
    runs = params.tuned_runs()
    if not runs:
        return {}
    left_out = read_csv(ARTIFACTS.left_out(source), ["reason"])
    return {
        "part": params.evaluate.part,
        "set_aside": {
            "n_queries": sum(row["reason"] == EXCLUDED for row in left_out),
            "n_images": n_images,
            "why": f"the {others(params.evaluate.part)} parts of what {', '.join(runs)} learned from, for all models alike",
        },
    }


def main(params: Params) -> None:
    ks, everything = params.evaluate.k, read_groups(ARTIFACTS.catalog)
    label = params.part_label()
    group_of = {image: everything[image] for image in read_searched(ARTIFACTS.searched).image_ids}
    resampling = Resampling(params.evaluate.resamples, params.evaluate.seed)
    pairs = list(product(params.embed.models, params.label.sources))
    refuse_leaks(params, everything)
    figures: dict[str, dict[str, Any]] = {}
    hit_rates: list[tuple[object, ...]] = []
    reciprocals: list[tuple[object, ...]] = []
    shares: list[tuple[object, ...]] = []
    margins: list[tuple[object, ...]] = []
    for model, source in pairs:
        series = f"{model} · {source}{label}"
        results, queries = read_ranks(RANKS / model / f"{source}.csv", group_of)
        figures.setdefault(model, {})[source] = put_aside(
            params, source, len(everything) - len(group_of)
        ) | summarise(queries, ks, resampling)
        write_results(model, source, results, queries, ks)
        best = np.array([result.best_rank for result in results])
        hit_rates.extend((series, k, *decimals(rates)) for k, *rates in hit_rate_curve(queries, resampling))
        reciprocals.extend((series, *decimals(point)) for point in reciprocal_rank_curve(best))
        shares.extend((series, ranks, *decimals([share])) for ranks, share in rank_shares(best))
        margins.extend(_margins(series, results))
    write_csv(Path("plots/hit_rate.csv"), ("series", *HitRateAt._fields), hit_rates)
    write_csv(Path("plots/reciprocal_ranks.csv"), ("series", "share", "reciprocal_rank"), reciprocals)
    write_csv(Path("plots/ranks.csv"), ("series", "rank", "share"), shares)
    write_csv(Path("plots/margins.csv"), ("series", "text", "relevant", "irrelevant"), margins)
    write_csv(Path("plots/intervals.csv"), INTERVAL_COLUMNS, _intervals(figures, ks))
    write_json(Path("metrics/metrics.json"), figures)
    for model, source in pairs:
        row = figures[model][source]
        say(
            f"{model} {source}{label}: MRR {row['mrr']:.3f} (chance {row['chance']['mrr']:.3f}), {row['n_queries']} queries"
        )


def _intervals(figures: dict[str, dict[str, Any]], ks: Sequence[int]) -> Iterator[tuple[str, ...]]:
    """Yield the rows of the chart of measures with their intervals."""
    for model, sources in figures.items():
        for source, row in sources.items():
            for measure in ("mrr", *(f"hit_rate@{k}" for k in ks)):
                values = (row[measure], row[f"{measure}_low"], row[f"{measure}_high"], row["chance"][measure])
                yield model, source, measure, *decimals(values)


def _margins(series: str, results: Sequence[Result]) -> Iterator[tuple[str, str, float, float]]:
    """Yield ``(series, text, score of the best relevant, of the best irrelevant image)``."""
    for result in results:
        if result.best_irrelevant is not None:
            yield series, chart_text(result.text), result.best_relevant, result.best_irrelevant


if __name__ == "__main__":
    run(main)
