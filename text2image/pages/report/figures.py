"""The tables of a report: measures, label sources, judgements."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from typing import Any

from text2image.pages.report.blocks import Cell, Score, Table
from text2image.pages.report.revisions import Key, Revision

NAMES = {
    "mrr": "MRR",
    "hit_rate": "HitRate",
    "recall": "Recall",
    "ndcg": "nDCG",
    "median_rank": "median rank",
}
UNKNOWN = "–"


def number(value: object) -> float | None:
    """Return a finite number as float, anything else as None."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if is_number else None  # type: ignore[arg-type]


def figure(value: object, digits: int = 2, unit: str = "") -> str:
    """Return a number with its unit; a dash where it is unknown, no decimals where it is whole."""
    known = number(value)
    if known is None:
        return UNKNOWN
    return f"{known:,.0f}{unit}" if isinstance(value, int) else f"{known:.{digits}f}{unit}"


def percent(value: object, digits: int = 0) -> str:
    """Return a share as per cent; a dash where it is unknown."""
    share = number(value)
    return UNKNOWN if share is None else f"{100 * share:.{digits}f}\N{NO-BREAK SPACE}%"


def measure_name(measure: str) -> str:
    """Return ``hit_rate@5`` as ``HitRate@5``."""
    name, at, k = measure.partition("@")
    return f"{NAMES.get(name, name)}{at}{k}"


def measured(row: Mapping[str, Any], measure: str) -> Score | None:
    """Return a measure of a row of metrics.json with its interval and level of chance."""
    value, chance = number(row.get(measure)), row.get("chance")
    if value is None:
        return None
    by_chance = number(chance.get(measure)) if isinstance(chance, Mapping) else None
    return Score(value, number(row.get(f"{measure}_low")), number(row.get(f"{measure}_high")), by_chance)


def _cell(row: Mapping[str, Any], measure: str) -> Cell:
    score = measured(row, measure)
    if score is None:
        return UNKNOWN
    if measure != "median_rank":
        return score
    low, high, chance = (UNKNOWN if x is None else f"{x:g}" for x in score[1:])
    return f"{score.value:g} [{low}, {high}] ({chance})"


def all_keys(revisions: Sequence[Revision]) -> list[Key]:
    """Return every model and source of any revision, once, in order."""
    return list(dict.fromkeys(key for revision in revisions for key in revision.keys))


def measure_tables(revisions: Sequence[Revision]) -> list[Table]:
    """Return a table of the main measures and one of the others; revisions stand below each other."""
    known = [
        (key, revision, row)
        for key, revision in product(all_keys(revisions), revisions)
        if (row := revision.row(key))
    ]
    names = [m for _, _, row in known for m in row if f"{m}_low" in row]
    ordered = list(dict.fromkeys(names))
    main = [m for m in ordered if m == "mrr" or m.startswith("hit_rate@")]
    heads = ["labels", "model", *(["revision"] if len(revisions) > 1 else []), "queries", "images"]

    def table(measures: Sequence[str], heading: str) -> Table:
        body = [
            [
                key.source,
                key.model,
                *([revision.name] if len(revisions) > 1 else []),
                figure(row.get("n_queries")),
                figure(row.get("n_images")),
                *(_cell(row, measure) for measure in measures),
            ]
            for key, revision, row in known
        ]
        return Table(
            [*heads, *map(measure_name, measures)],
            body,
            figures=range(len(heads) - 2, len(heads) + len(measures)),
            heading=heading,
        )

    others = [measure for measure in ordered if measure not in main]
    tables = [table(main, "How often, and how high, the right image is found")] if known else []
    return [*tables, table(others, "Further measures")] if others else tables


def label_tables(revisions: Sequence[Revision]) -> list[Table]:
    """Return what each label source covers, and how far sources agree."""
    covers: list[list[str]] = []
    agrees: list[list[str]] = []
    for revision in revisions:
        name = [revision.name] if len(revisions) > 1 else []
        for source, row in _items(revision.labels.get("sources")):
            covers.append([source, *name, *_coverage(row), _reasons(revision, source)])
        for model, pairs in _items(revision.labels.get("agreement")):
            for pair, row in _items(pairs):
                cells = (figure(row.get(key)) for key in ("images", "similarity", "different_images"))
                agrees.append([pair, *name, model, *cells])
    where = ["revision"] if len(revisions) > 1 else []
    heads = [
        "images with a text",
        "different texts",
        "shared with other images",
        "words a text",
        "fit to the image",
    ]
    tables = [
        Table(
            ["labels", *where, *heads, "left out"],
            _grouped(covers),
            figures=range(1 + len(where), 5 + len(where)),
            heading="What each label source covers",
            note="Fit: mean cosine similarity of image and text by each model, 2.5 × as in CLIPScore; "
            "comparable within a model only.",
        ),
        Table(
            ["label sources", *where, "by the texts of model", "images", "same image", "different images"],
            _grouped(agrees),
            figures=range(2 + len(where), 5 + len(where)),
            heading="Do two sources say the same of an image?",
            note="Mean cosine similarity of their texts; beside it, of texts of different images.",
        ),
    ]
    return [table for table in tables if table.rows]


def _grouped(rows: Sequence[list[str]]) -> list[list[str]]:
    """Return the rows with those of one first cell below each other, so that revisions are side by side."""
    order = list(dict.fromkeys(row[0] for row in rows))
    return sorted(rows, key=lambda row: order.index(row[0]))


def _items(value: object) -> Iterable[tuple[str, Mapping[str, Any]]]:
    """Return the items of a mapping of mappings; nothing of anything else."""
    return [(k, v) for k, v in value.items() if isinstance(v, Mapping)] if isinstance(value, Mapping) else []


def _coverage(row: Mapping[str, Any]) -> list[str]:
    fits = row.get("clip_score")
    fit = [f"{figure(v)} ({model})" for model, v in fits.items()] if isinstance(fits, Mapping) else []
    return [
        f"{percent(row.get('coverage'))} of {figure(row.get('images'))}",
        figure(row.get("unique_texts")),
        percent(row.get("shared_text_share")),
        figure(row.get("mean_words"), 1),
        ", ".join(fit) or UNKNOWN,
    ]


def _reasons(revision: Revision, source: str) -> str:
    images = [f"{n} images: {reason}" for reason, n in revision.without_label.get(source, {}).items()]
    queries = [f"{n} queries: {reason}" for reason, n in revision.left_out.get(source, {}).items()]
    return "; ".join([*images, *queries]) or "none"


def judgement_table(revisions: Sequence[Revision]) -> Table | None:
    """Return how much of what was found has been judged, and how far judges agree; None without a judgement."""
    rows = []
    judged = [(of, *item) for of in revisions for item in _items(of.judgements.get("sources"))]
    for revision, source, row in judged:
        if not (number(row.get("by_people")) or number(row.get("by_models"))):
            continue
        shares = [
            f"{model} {measure.removeprefix('judged')} {percent(share)}"
            for model, sources in _items(revision.judgements.get("results"))
            for measure, share in sources.get(source, {}).items()
        ]
        name = [revision.name] if len(revisions) > 1 else []
        counts = [figure(row.get(key)) for key in ("by_people", "by_models", "by_both", "kappa_quadratic")]
        rows.append([source, *name, *counts, ", ".join(shares)])
    where = ["revision"] if len(revisions) > 1 else []
    heads = ["by people", "by models", "by both", "agreement (κ)", "share of results judged"]
    return (
        Table(["labels", *where, *heads], rows, figures=range(1 + len(where), 5 + len(where)))
        if rows
        else None
    )
