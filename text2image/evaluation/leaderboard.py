"""Quality beside cost: the table of plots/leaderboard.csv, and what the speeds of one machine add to it."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from text2image.base.arrays import Booleans, Floats
from text2image.evaluation.measures import Measure
from text2image.evaluation.results import decimals
from text2image.evaluation.summary import ENDS, Figures
from text2image.formats.tables import Row

if TYPE_CHECKING:
    from text2image.encoders.throughput import Speed


COLUMNS = (
    "system", "source", "n_queries", "n_images", "k", "hit_rate", "hit_rate_low", "hit_rate_high",
    "mrr", "mrr_low", "mrr_high", "mrr_chance", "parameters", "dimension", "circular", "on_front",
)  # fmt: skip
SPEED_COLUMNS = ("device", "images_per_second", "queries_per_second", "on_speed_front")
"""What a machine adds to the table on request; see :func:`add_speeds`."""


def leaderboard(figures: Figures, cards: Mapping[str, Mapping[str, Any]], hit_rate: Measure) -> pd.DataFrame:
    """Return a row a source and system: the columns ``COLUMNS``. Circular pairs are on no front, and dominate nobody.

    Args:
        figures: metrics.json, ``{system: {source: figures}}``.
        cards: what each system consists of; its ``size`` says parameters and dimension as far as they are known.
        hit_rate: the hit rate to show.
    """
    tables = []
    for source in next(iter(figures.values())):
        rows = [
            {"system": system, "source": source, "k": hit_rate.k, "mrr_chance": row[source]["chance"]["mrr"]}
            | {name: row[source][name] for name in ("n_queries", "n_images")}
            | {"circular": int(row[source]["circular"])}
            | {f"hit_rate{end}": row[source][f"{hit_rate}{end}"] for end in ENDS}
            | {f"mrr{end}": row[source][f"mrr{end}"] for end in ENDS}
            | {name: cards[system]["size"].get(name, "") for name in ("parameters", "dimension")}
            for system, row in figures.items()
        ]
        table = pd.DataFrame(rows)
        cost = pd.to_numeric(table["parameters"]).fillna(np.inf).to_numpy(dtype=np.float64)
        front = tested_front(cost, table["mrr"].to_numpy(), table["circular"].to_numpy() == 0)
        tables.append(table.assign(on_front=front.astype(int)))
    return pd.concat(tables)[list(COLUMNS)].pipe(decimals)


def pareto_front(cost: Floats, quality: Floats) -> Booleans:
    """Return who is on the Pareto front: less cost is better, and more quality.

    One is off the front if some other is at least as good in both and better in one. Of several that
    are equal in both either all are on it or none.

    Args:
        cost: ``(n,)`` float64; infinite where it is not known.
        quality: ``(n,)`` float64, finite.

    Returns:
        ``(n,)`` bool; empty for n = 0.
    """
    on_front = np.zeros(len(cost), dtype=np.bool_)
    best = -np.inf  # quality among the cheaper ones
    for value in np.unique(cost):
        same_cost = cost == value
        top = quality[same_cost].max()
        if top > best:
            on_front |= same_cost & (quality == top)
            best = top
    return on_front


def tested_front(cost: Floats, quality: Floats, tested: Booleans) -> Booleans:
    """Return :func:`pareto_front` among those that are ``tested``, ``(n,)`` bool; the others are not on it."""
    front = np.zeros(len(cost), dtype=np.bool_)
    front[tested] = pareto_front(cost[tested], quality[tested])
    return front


def add_speeds(rows: Sequence[Row], speeds: Sequence["Speed"]) -> list[Row]:
    """Return the rows of plots/leaderboard.csv with the columns ``SPEED_COLUMNS``, empty for what is not known.

    Args:
        rows: source by source.
        speeds: of images and texts, of as many systems as could be measured on this machine.
    """
    per_second = {(speed.model, speed.what): speed.per_second for speed in speeds}
    device = {speed.model: speed.device for speed in speeds}
    extended: list[Row] = []
    for _, group in groupby(rows, key=itemgetter("source")):
        of_source = list(group)
        rates = [per_second.get((row["system"], "images"), "") for row in of_source]
        seconds = np.array([1 / float(rate) if rate else np.inf for rate in rates])
        tested = np.array([row["circular"] == "0" for row in of_source])
        front = tested_front(seconds, np.array([float(row["mrr"]) for row in of_source]), tested)
        for row, rate, on_front in zip(of_source, rates, front.astype(int).astype(str), strict=True):
            system = row["system"]
            values = device.get(system, ""), rate, per_second.get((system, "texts"), ""), str(on_front)
            extended.append(row | dict(zip(SPEED_COLUMNS, values, strict=True)))
    return extended
