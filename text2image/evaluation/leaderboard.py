"""Quality beside cost: the table of plots/leaderboard.csv, and Markdown tables whose columns line up in a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from text2image.evaluation.measures import Measure
from text2image.evaluation.results import decimals

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Row = Mapping[str, str]

ENDS = ("", "_low", "_high")
COLUMNS = (
    "model", "source", "n_queries", "n_images", "k", "hit_rate", "hit_rate_low", "hit_rate_high",
    "mrr", "mrr_low", "mrr_high", "mrr_chance", "parameters", "dimension", "on_front",
)  # fmt: skip
UNKNOWN = "unknown"
FLOAT32 = 4
REASON = 160  # letters
HOW_TO_READ = (
    "Best first, with 95 % intervals in brackets. Models whose intervals overlap widely may be equally good: "
    "metrics/comparison.json tells. `*`: on the Pareto front, no other model is both smaller and better."
)
WITHOUT = (
    "What is not on this machine is found in the folder that HF_HOME names, or in a copy: set the model's name "
    "in params.yaml to local-dir:PATH."
)
COSTS = (
    "model", "parameters", "dimension", "images/s", "queries/s", "index here", "index per million", "licence",
)  # fmt: skip


def leaderboard(
    figures: Mapping[str, Mapping[str, Mapping[str, Any]]],
    cards: Mapping[str, Mapping[str, Any]],
    sources: Sequence[str],
    measure: Measure,
) -> pd.DataFrame:
    """Return a row a source and model: the columns ``COLUMNS``.

    Args:
        figures: metrics.json, ``{model: {source: figures}}``.
        cards: what each model consists of; its ``size`` says parameters and dimension as far as they are known.
        sources: of which labels.
        measure: the hit rate to show.
    """
    tables = []
    for source in sources:
        rows = [
            {"model": model, "source": source, "k": measure.k}
            | {name: row[source][name] for name in ("n_queries", "n_images")}
            | {f"hit_rate{end}": row[source][f"{measure}{end}"] for end in ENDS}
            | {f"mrr{end}": row[source][f"mrr{end}"] for end in ENDS}
            | {"mrr_chance": row[source]["chance"]["mrr"]}
            | {name: cards[model]["size"].get(name, "") for name in ("parameters", "dimension")}
            for model, row in figures.items()
        ]
        table = pd.DataFrame(rows)
        cost = pd.to_numeric(table["parameters"]).fillna(np.inf).to_numpy(dtype=np.float64)
        tables.append(table.assign(on_front=pareto_front(cost, table["mrr"].to_numpy()).astype(int)))
    return pd.concat(tables)[list(COLUMNS)].pipe(decimals)


def pareto_front(cost: Floats, quality: Floats) -> Flags:
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


def markdown(
    rows: Sequence[Row], licences: Mapping[str, str], absent: Mapping[str, str], speeds: Mapping[str, Row]
) -> str:
    """Return the leaderboard as a page.

    Args:
        rows: of plots/leaderboard.csv, source by source, at least one.
        licences: ``{model: licence}`` of the models in ``rows``.
        absent: ``{model: reason}`` of the models that could not be had.
        speeds: ``{model: {"device", "images", "texts"}}``, embedded a second on this machine, where measured.
    """
    parts = ["# Leaderboard", HOW_TO_READ]
    for source, of_source in groupby(rows, key=itemgetter("source")):
        parts += _quality(source, sorted(of_source, key=lambda row: -float(row["mrr"])))
    first = {row["model"]: row for row in reversed(rows)}
    costs = [
        _costs(row, licences[model], speeds.get(model, {}))
        for model, row in sorted(first.items(), key=lambda item: float(item[1]["parameters"] or "inf"))
    ]
    devices = " and ".join(sorted({speed["device"] for speed in speeds.values()}))
    parts += [
        f"## What it costs on this machine ({devices})" if devices else "## What it costs",
        "Speeds are measured end to end, images from JPEG files; an index holds a float32 vector an image.",
        table(COSTS, costs),
    ]
    if absent:
        parts += [
            "## Not to be had",
            WITHOUT,
            "\n".join(f"- {model}: {_brief(reason)}" for model, reason in absent.items()),
        ]
    return "\n\n".join(parts) + "\n"


def _brief(reason: str) -> str:
    """Return the beginning of a sentence: what to do about it is said once for all, the rest when it happens."""
    said = reason.partition("; ")[0]
    return said if len(said) <= REASON else f"{said[: REASON - 1]}…"


def _quality(source: str, rows: Sequence[Row]) -> Iterator[str]:
    first = rows[0]
    yield f"## {source}: {first['n_queries']} queries in {first['n_images']} images"
    hit_rate = Measure("hit_rate", int(first["k"]))
    head = ("", "model", f"MRR (by chance {float(first['mrr_chance']):.2f})", hit_rate.title)
    lines = [
        ("*" if row["on_front"] == "1" else "", row["model"], _mean(row, "mrr"), _mean(row, "hit_rate"))
        for row in rows
    ]
    yield table(head, lines)


def _mean(row: Row, name: str) -> str:
    mean, low, high = (float(row[f"{name}{end}"]) for end in ENDS)
    return f"{mean:.2f} [{low:.2f}, {high:.2f}]"


def _costs(row: Row, licence: str, speed: Row) -> tuple[str, ...]:
    parameters, dimension = row["parameters"], row["dimension"]
    vector = FLOAT32 * int(dimension) if dimension else None
    return (
        row["model"],
        f"{int(parameters) / 1e6:.1f} M" if parameters else UNKNOWN,
        dimension or UNKNOWN,
        *(_rate(speed[what]) if what in speed else UNKNOWN for what in ("images", "texts")),
        f"{vector * int(row['n_images']) / 1e6:,.2f} MB" if vector else UNKNOWN,
        f"{vector * 1e6 / 1e9:,.1f} GB" if vector else UNKNOWN,
        licence,
    )


def _rate(per_second: str) -> str:
    rate = float(per_second)
    return f"{rate:,.0f}" if rate >= 100 else f"{rate:.1f}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table; columns in which every cell begins with a digit stand to the right."""
    cells = [[cell.replace("|", "\\|") for cell in row] for row in (head, *rows)]
    columns = list(zip(*cells, strict=True))
    widths = [max(3, *map(len, column)) for column in columns]
    right = [all(cell[:1].isdigit() for cell in column[1:]) for column in columns]

    def line(row: Sequence[str]) -> str:
        padded = (
            cell.rjust(width) if numeric else cell.ljust(width)
            for cell, width, numeric in zip(row, widths, right, strict=True)
        )
        return f"| {' | '.join(padded)} |"

    rule = ["-" * (width - numeric) + ":" * numeric for width, numeric in zip(widths, right, strict=True)]
    return "\n".join([line(cells[0]), line(rule), *map(line, cells[1:])])
