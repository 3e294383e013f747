"""Stage ``leaderboard``: quality against cost, a row a model and label source, for ``dvc plots`` and ``make zoo``.

It holds measured speeds, which differ a little each time, so it is kept by DVC's cache and not in git.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from stages import run
from stages.compare import headline
from text2image.artifacts import ARTIFACTS
from text2image.encoders.models.card import load_card
from text2image.encoders.throughput import COLUMNS as SPEED
from text2image.evaluation.pareto import pareto_front
from text2image.formats.tables import read_csv, write_csv
from text2image.params import Params

FIGURES = ("hit_rate", "hit_rate_low", "hit_rate_high", "mrr", "mrr_low", "mrr_high", "mrr_chance")
COST = ("device", "images_per_second", "queries_per_second", "parameters", "dimension")
COLUMNS = ("model", "source", "n_queries", "n_images", "k", *FIGURES, *COST, "on_front")


def cost(model: str) -> tuple[object, ...]:
    """Return what a model costs: the columns ``COST``; what is not known is empty."""
    speed = {row["what"]: row for row in read_csv(Path(f"data/throughput/{model}.csv"), SPEED)}
    size = load_card(ARTIFACTS.card(model))["size"]
    return (
        speed["images"]["device"],
        speed["images"]["per_second"],
        speed["texts"]["per_second"],
        size.get("parameters", ""),
        size.get("dimension", ""),
    )


def quality(figures: dict[str, Any], measure: str) -> tuple[object, ...]:
    """Return the sizes and measures of one model on one source: the columns up to ``mrr_chance``."""
    means = [f"{figures[f'{name}{end}']:.6f}" for name in (measure, "mrr") for end in ("", "_low", "_high")]
    k = measure.rpartition("@")[2]
    return (figures["n_queries"], figures["n_images"], k, *means, f"{figures['chance']['mrr']:.6f}")


def main(params: Params) -> None:
    figures = json.loads(Path("metrics/metrics.json").read_text(encoding="utf-8"))
    models, measure = params.embed.models, headline(params.evaluate.k)
    costs = {model: cost(model) for model in models}
    speed = np.array([float(str(costs[model][1])) for model in models])
    rows: list[tuple[object, ...]] = []
    for source in params.label.sources:
        mrr = np.array([figures[model][source]["mrr"] for model in models])
        for model, on_front in zip(models, pareto_front(speed, mrr).tolist(), strict=True):
            found = quality(figures[model][source], measure)
            rows.append((model, source, *found, *costs[model], int(on_front)))
    write_csv(Path("plots/leaderboard.csv"), COLUMNS, rows)


if __name__ == "__main__":
    run(main)
