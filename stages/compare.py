"""Stage ``compare``: is one model better than another, or could it be luck?

For every pair of models and every source, on the same queries: the mean difference of each measure, its
interval, a randomisation test, Holm's correction over all of them, and a sentence in plain words.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from stages import run
from text2image.base.console import say
from text2image.evaluation import measures as metrics
from text2image.evaluation.comparison import Comparison, compare, holm, verdict
from text2image.formats.files import write_json
from text2image.formats.tables import read_csv
from text2image.params import Params

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

HEADLINE_K = 5
ALONE = "one model only: there is nothing to compare it with"


class Queries(NamedTuple):
    """What one model found for the queries of one source: ids, best ranks and clusters."""

    ids: list[str]
    ranks: Integers
    clusters: Integers


def read_results(path: Path) -> Queries:
    """Read data/results/MODEL/SOURCE.csv."""
    rows = read_csv(path, ["query_id", "best_rank", "cluster"])
    figures = np.array([(int(row["best_rank"]), int(row["cluster"])) for row in rows])
    return Queries([row["query_id"] for row in rows], figures[:, 0], figures[:, 1])


def measures(ranks: Integers, ks: Sequence[int]) -> Floats:
    """Return ``(n_queries, 1 + len(ks))``: the reciprocal rank and the hit at each k."""
    starts = np.arange(len(ranks))  # one rank a query
    hits = (metrics.hit_rate(ranks, starts, k) for k in ks)
    return np.stack([metrics.reciprocal_rank(ranks, starts), *hits], axis=1)


def headline(ks: Sequence[int]) -> str:
    """Return the measure that the sentences speak of: the hit rate at the k nearest to 5."""
    return f"hit_rate@{min(ks, key=lambda k: (abs(k - HEADLINE_K), k))}"


def main(params: Params) -> None:
    ks, models = params.evaluate.k, params.embed.models
    names = ["mrr", *(f"hit_rate@{k}" for k in ks)]
    found: dict[tuple[str, str, str, str], Comparison] = {}
    for source in params.label.sources:
        results = {model: read_results(Path(f"data/results/{model}/{source}.csv")) for model in models}
        for first, second in combinations(models, 2):
            if results[first].ids != results[second].ids:
                raise ValueError(
                    f"expected {first} and {second} on the same queries of {source}, found others"
                )
            comparisons = compare(
                measures(results[first].ranks, ks),
                measures(results[second].ranks, ks),
                results[first].clusters,
                resamples=params.evaluate.resamples,
                seed=params.evaluate.seed,
            )
            found |= {(source, first, second, n): c for n, c in zip(names, comparisons, strict=True)}
    adjusted = holm(np.array([comparison.p_value for comparison in found.values()]))
    table = tabulate(
        found, dict(zip(found, adjusted.tolist(), strict=True)), params.label.sources, headline(ks)
    )
    write_json(Path("metrics/comparison.json"), table)
    for source, row in table.items():
        for sentence in row["summary"]:
            say(f"{source}{params.part_label()}: {sentence}")


def tabulate(
    found: dict[tuple[str, str, str, str], Comparison],
    adjusted: dict[tuple[str, str, str, str], float],
    sources: Sequence[str],
    measure: str,
) -> dict[str, Any]:
    """Return ``{source: {"summary": sentences, "A - B": {measure: figures}}}``."""
    table: dict[str, Any] = {source: {"summary": []} for source in sources}
    for key, comparison in found.items():
        source, first, second, name = key
        figures = comparison._asdict() | {"p_holm": adjusted[key]}
        table[source].setdefault(f"{first} - {second}", {})[name] = figures
        if name == measure:
            table[source]["summary"].append(verdict(first, second, name, comparison, adjusted[key]))
    for row in table.values():
        row["summary"] = row["summary"] or [ALONE]
    return table


if __name__ == "__main__":
    run(main)
