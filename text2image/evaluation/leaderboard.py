"""Quality beside cost: the table of plots/leaderboard.csv, and what measurements on one machine add to it."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from text2image.base.arrays import Booleans
from text2image.evaluation.measures import Measure
from text2image.evaluation.results import decimals
from text2image.evaluation.statistics.front import claimed_better, front_of_tested
from text2image.evaluation.summary import ENDS, Figures
from text2image.formats.tables import FINITE, IF_KNOWN, WHOLE_NUMBER, Row

if TYPE_CHECKING:
    from text2image.encoders.throughput import QueryTime, Speed


class Cost(NamedTuple):
    """What a system costs on any machine, and what it sees of an image; columns of plots/leaderboard.csv.

    What is not known is "". Settings of several models stand beside each other, as in ``224 + 384``.

    Attributes:
        kind: of the system.
        parameters: of its embedding models, both towers; 0 of a system without any.
        dimension: of an image's vectors, added up over its models.
        bytes_per_image: what has to be kept of an image to find it: its vectors in float32, or its texts in UTF-8.
        usd_per_1000_queries: what a model that is asked for each query charges at the prices in params.yaml; 0 of all
            others.
        image_size: pixels a side of what its models see.
        resize: how an image is brought to that size.
        views: which parts of an image have vectors of their own.
        context_length: how many tokens of a query its models read.
    """

    kind: str = ""
    parameters: int | str = ""
    dimension: int | str = ""
    bytes_per_image: int | str = ""
    usd_per_1000_queries: str = ""
    image_size: str = ""
    resize: str = ""
    views: str = ""
    context_length: str = ""


COLUMNS = (
    "system", "source", "n_queries", "n_images", "k", "hit_rate", "hit_rate_low", "hit_rate_high",
    "mrr", "mrr_low", "mrr_high", "mrr_chance", *Cost._fields, "circular", "on_front",
)  # fmt: skip
NUMBERS = (
    dict.fromkeys(("hit_rate_low", "hit_rate_high", "mrr_low", "mrr_high", *Cost._fields[1:5]), IF_KNOWN)
    | dict.fromkeys(("hit_rate", "mrr", "mrr_chance"), FINITE)
    | dict.fromkeys(("n_queries", "n_images", "k", "circular", "on_front"), WHOLE_NUMBER)
)
"""What the columns of plots/leaderboard.csv hold that are no names."""

COSTS = ("parameters", "usd_per_1000_queries")
"""By what one system is cheaper than another, on any machine."""

TIMES = ("prepare_seconds_per_1000", "query_ms")
"""By what one is faster than another on one machine; with money, which buys time."""

MACHINE_COLUMNS = (
    "device", *TIMES, "query_ms_95", "query_ms_million", "on_speed_front",
)  # fmt: skip
"""What a machine adds to the table on request; see :func:`add_times`."""


def cost_of(
    about: Mapping[str, Any], cards: Mapping[str, Mapping[str, Any]], usd_per_1000_queries: float | None = 0.0
) -> Cost:
    """Return what a system costs.

    Args:
        about: data/systems/SYSTEM.json.
        cards: what its models consist of, by name.
        usd_per_1000_queries: None where it is not known.
    """
    size, inputs = about["size"], [_input_of(cards[model]) for model in about["models"]]
    known = {key: size.get(key, "") for key in ("parameters", "dimension", "bytes_per_image")}
    settings = {
        key: " + ".join(dict.fromkeys(filter(None, (one[key] for one in inputs))))
        for key in ("image_size", "resize", "views", "context_length")
    }
    money = "" if usd_per_1000_queries is None else f"{usd_per_1000_queries:.4g}"
    return Cost(about["kind"], usd_per_1000_queries=money, **known, **settings)


def _input_of(card: Mapping[str, Any]) -> dict[str, str]:
    """Return what a model reads, as people write it; "" for what its card does not say.

    >>> size = {"image_size": [224, 224], "resize": "squash", "context_length": 64}
    >>> _input_of({"input": size, "views": ["whole", "tiles"], "combine": "max"})["views"]
    'whole, tiles (max)'
    """
    reads, views = card.get("input", {}), card.get("views", [])
    combined = f" ({card.get('combine', '')})" if len(views) > 1 else ""
    return {
        "image_size": " × ".join(dict.fromkeys(map(str, reads.get("image_size", [])))),
        "resize": str(reads.get("resize", "")),
        "views": ", ".join(views) + combined,
        "context_length": str(reads.get("context_length", "")),
    }


def leaderboard(
    figures: Figures, costs: Mapping[str, Cost], comparison: Mapping[str, Any], hit_rate: Measure
) -> pd.DataFrame:
    """Return a row a source and system: the columns ``COLUMNS``. Circular pairs are on no front, and dominate nobody.

    Args:
        figures: metrics.json, ``{system: {source: figures}}``.
        costs: of each system.
        comparison: comparison.json, whose claims decide who is on the front (:mod:`text2image.evaluation.statistics.front`).
        hit_rate: the hit rate to show, by which systems are compared.
    """
    tables = []
    for source in next(iter(figures.values())):
        rows = [
            {"system": system, "source": source, "k": hit_rate.k, "mrr_chance": row[source]["chance"]["mrr"]}
            | {name: row[source][name] for name in ("n_queries", "n_images")}
            | {"circular": int(row[source]["circular"])}
            | {f"hit_rate{end}": row[source][f"{hit_rate}{end}"] for end in ENDS}
            | {f"mrr{end}": row[source][f"mrr{end}"] for end in ENDS}
            | costs[system]._asdict()
            for system, row in figures.items()
        ]
        front = _front(rows, COSTS, comparison[source])
        tables.append(pd.DataFrame(rows).assign(on_front=front.astype(int)))
    means = [f"{name}{end}" for name in ("hit_rate", "mrr") for end in ENDS]
    return pd.concat(tables)[list(COLUMNS)].astype(dict.fromkeys(means, "float64")).pipe(decimals)


def _front(rows: Sequence[Mapping[str, Any]], costs: Iterable[str], of_source: Mapping[str, Any]) -> Booleans:
    """Return who of one source's rows is on the front by some of its columns; what is not known costs most."""
    values = np.array([[_cost(row[name]) for name in costs] for row in rows])
    better = claimed_better(
        [row["system"] for row in rows], of_source, Measure("hit_rate", int(rows[0]["k"]))
    )
    return front_of_tested(values, better, np.array([int(row["circular"]) == 0 for row in rows]))


def _cost(value: object) -> float:
    return np.inf if value == "" else float(str(value))


def add_times(
    rows: Sequence[Row],
    made_of: Mapping[str, Sequence[str]],
    comparison: Mapping[str, Any],
    speeds: Sequence["Speed"],
    queries: Sequence["QueryTime"],
) -> list[Row]:
    """Return the rows of plots/leaderboard.csv with the columns ``MACHINE_COLUMNS``, "" for what is not known.

    Args:
        rows: source by source.
        made_of: by system, the models and the fields that an image has to be prepared for, once: embedded and read.
        comparison: comparison.json.
        speeds: of what could be measured on this machine.
        queries: of as many systems.
    """
    per_second = {(speed.name, speed.what): speed.per_second for speed in speeds}
    devices = {speed.name: speed.device for speed in speeds}
    times = {time.system: time for time in queries}
    extended: list[Row] = []
    for source, group in groupby(rows, key=itemgetter("source")):
        of_source = [
            row | _prepare(made_of[row["system"]], per_second, devices) | _query(times.get(row["system"]))
            for row in group
        ]
        front = _front(of_source, (*TIMES, "usd_per_1000_queries"), comparison.get(source, {}))
        for row, on_front in zip(of_source, front, strict=True):
            extended.append(row | {"on_speed_front": str(int(on_front))})
    return extended


def _prepare(
    parts: Sequence[str], per_second: Mapping[tuple[str, str], str], devices: Mapping[str, str]
) -> dict[str, str]:
    """Return how long 1,000 images take to prepare for a system: to embed and to read, one after the other."""
    rates = [per_second.get((part, "images"), "") for part in parts]
    seconds = f"{sum(1000 / float(rate) for rate in rates):.4g}" if all(rates) else ""
    on = dict.fromkeys(devices[part] for part in parts if part in devices)
    return {"device": " + ".join(on), "prepare_seconds_per_1000": seconds}


def _query(time: "QueryTime | None") -> dict[str, str]:
    """Return how long a query takes."""
    names = ("query_ms", "query_ms_95", "query_ms_million")
    return dict(
        zip(names, (time.median_ms, time.high_ms, time.million_ms) if time else ("", "", ""), strict=True)
    )
