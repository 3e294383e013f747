"""The tables of a report: measures, label sources, judgements."""

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

from text2image.evaluation.curves import marked
from text2image.pages.report.blocks import Cell, Table
from text2image.pages.report.figures import (
    UNKNOWN,
    figure,
    items,
    known_measure,
    measure_name,
    measured,
    number,
    percent,
)
from text2image.pages.report.revisions import Revision

CIRCULAR = (
    "Circular: the labels and the system go back to the same weights or texts, so that a network is asked twice and even "
    "wrong labels are found first. Such a score says nothing, and is compared with nothing."
)


def _cell(row: Mapping[str, Any], measure: str) -> Cell:
    score = measured(row, measure)
    if score is None:
        return UNKNOWN
    if measure != "median_rank":
        return score
    interval = "" if score.low is None or score.high is None else f" [{score.low:g}, {score.high:g}]"
    return f"{score.value:g}{interval} ({UNKNOWN if score.chance is None else f'{score.chance:g}'})"


def _table(revisions: Sequence[Revision], table: Table) -> Table:
    """Return the table, without its column ``revision``, left of all figures, where there is one revision only."""
    if len(revisions) > 1:
        return table
    at = table.columns.index("revision")
    rows = [[*row[:at], *row[at + 1 :]] for row in table.rows]
    columns = [*table.columns[:at], *table.columns[at + 1 :]]
    figures = range(table.figures.start - 1, table.figures.stop - 1)
    return table._replace(columns=columns, rows=rows, figures=figures)


def measure_tables(revisions: Sequence[Revision]) -> list[Table]:
    """Return a table of the main measures and one of the others; revisions stand below each other."""
    keys = dict.fromkeys(key for revision in revisions for key in revision.keys)
    rows = [(key, of, row) for key, of in product(keys, revisions) if (row := of.row(key))]
    measures = list(dict.fromkeys(name for _, _, row in rows for name in row if f"{name}_low" in row))
    main = [name for name in measures if (one := known_measure(name)) and one.name in ("mrr", "hit_rate")]
    others = [name for name in measures if name not in main]

    def table(names: Sequence[str], heading: str) -> Table:
        body = [
            [
                key.source, marked(key.system, circular=bool(row.get("circular"))), of.name,
                figure(row.get("n_queries")), figure(row.get("n_images")),
                *(_cell(row, name) for name in names),
            ]
            for key, of, row in rows
        ]  # fmt: skip
        heads = ["labels", "system", "revision", "queries", "images", *map(measure_name, names)]
        note = CIRCULAR if any(row.get("circular") for _, _, row in rows) else ""
        return _table(revisions, Table(heads, body, range(3, len(heads)), heading, note))

    tables = [table(main, "How often, and how high, the right image is found")] if rows else []
    further = [table(others, "Further measures")] if others else []
    return [*tables, *kind_tables(revisions), *further]


def kind_tables(revisions: Sequence[Revision]) -> list[Table]:
    """Return a table of the main measures by kind of query for each label source whose texts have kinds."""
    tables = []
    for source in dict.fromkeys(key.source for of in revisions for key in of.keys):
        found = [
            (kind, key.system, of, row, bool(of.row(key).get("circular")))
            for of in revisions
            for key in of.keys
            if key.source == source
            for kind, row in items(of.row(key).get("kinds"))
        ]
        found.sort(key=lambda one: one[0])
        measures = list(dict.fromkeys(name for *_, row, _ in found for name in row if f"{name}_low" in row))
        body = [
            [
                kind, marked(system, circular=circular), of.name, figure(row.get("n_queries")),
                figure(row.get("n_clusters")), *(_cell(row, name) for name in measures),
            ]
            for kind, system, of, row, circular in found
        ]  # fmt: skip
        heads = ["kind", "system", "revision", "queries", "independent", *map(measure_name, measures)]
        heading = f"By kind of query: {source} labels"
        note = "A query of several kinds counts in each."
        tables += (
            [_table(revisions, Table(heads, body, range(3, len(heads)), heading, note))] if found else []
        )
    return tables


def label_tables(revisions: Sequence[Revision]) -> list[Table]:
    """Return what each label source covers, what its queries are, and how far sources agree."""
    tables = (_coverage_table(revisions), _query_table(revisions), _agreement_table(revisions))
    return [_table(revisions, table) for table in tables if table.rows]


def _coverage_table(revisions: Sequence[Revision]) -> Table:
    rows = [
        [source, revision.name, *_coverage(row), _reasons(revision, source)]
        for revision in revisions
        for source, row in items(revision.labels.get("sources"))
    ]
    columns = [
        "labels", "revision", "images with a text", "different texts", "shared with other images",
        "words a text", "fit to the image", "left out",
    ]  # fmt: skip
    note = (
        "Fit: mean cosine similarity of image and text by each model, 2.5 × as in CLIPScore; "
        "comparable within a model only."
    )
    return Table(columns, _grouped(rows), range(2, 6), "What each label source covers", note)


def _query_table(revisions: Sequence[Revision]) -> Table:
    columns = ("n_queries", "n_clusters", "n_fragments", "n_generic")
    rows = [
        [
            *(source, revision.name, ", ".join(row.get("written_by") or ["people"])),
            *(figure(row.get(column)) for column in columns),
        ]
        for revision in revisions
        for source, row in items(revision.sources.get("sources"))
    ]
    heads = ["labels", "revision", "written by", "queries", "independent", "fragments", "too generic"]
    note = (
        "Independent: groups of queries about different images, near-duplicates taken together. Fragments: web addresses, "
        "figures, or one word beside articles and the like. Too generic: texts that could mean any image, not asked."
    )
    return Table(heads, _grouped(rows), range(3, 7), "What the queries of each source are", note)


def _agreement_table(revisions: Sequence[Revision]) -> Table:
    columns = ("images", "similarity", "different_images")
    rows = [
        [pair, revision.name, model, *(figure(row.get(column)) for column in columns)]
        for revision in revisions
        for model, pairs in items(revision.labels.get("agreement"))
        for pair, row in items(pairs)
    ]
    heads = ["label sources", "revision", "by the texts of model", "images", "same image", "different images"]
    note = "Mean cosine similarity of their texts; beside it, of texts of different images."
    return Table(heads, _grouped(rows), range(3, 6), "Do two sources say the same of an image?", note)


def _grouped(rows: Sequence[list[str]]) -> list[list[str]]:
    """Return the rows with those of one first cell below each other, so that revisions are side by side."""
    order = list(dict.fromkeys(row[0] for row in rows))
    return sorted(rows, key=lambda row: order.index(row[0]))


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
    images = [
        f"{n} images or texts: {reason}" for reason, n in revision.without_label.get(source, {}).items()
    ]
    queries = [f"{n} queries: {reason}" for reason, n in revision.left_out.get(source, {}).items()]
    return "; ".join([*images, *queries]) or "none"


def judgement_table(revisions: Sequence[Revision]) -> Table | None:
    """Return how much of what was found has been judged, and how far judges agree; None without a judgement."""
    rows = []
    judged = [(of, *item) for of in revisions for item in items(of.judgements.get("sources"))]
    for revision, source, row in judged:
        if not (number(row.get("by_people")) or number(row.get("by_models"))):
            continue
        shares = [
            f"{system} {measure.removeprefix('judged')} {percent(share)}"
            for system, sources in items(revision.judgements.get("results"))
            for measure, share in sources.get(source, {}).items()
        ]
        counts = [figure(row.get(key)) for key in ("by_people", "by_models", "by_both", "kappa_quadratic")]
        rows.append([source, revision.name, *counts, ", ".join(shares)])
    heads = ["by people", "by models", "by both", "agreement (κ)", "share of results judged"]
    return _table(revisions, Table(["labels", "revision", *heads], rows, range(2, 6))) if rows else None
