"""A report's sections in the order in which a customer reads them: pure, from what revisions hold to blocks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from text2image.pages.report.blocks import Chart, Report, Section, Sentences, Sheet, Table
from text2image.pages.report.conclusions import conclusions
from text2image.pages.report.figures import (
    figure,
    judgement_table,
    label_tables,
    measure_tables,
    number,
    percent,
)
from text2image.pages.report.parameters import parameter_sections
from text2image.pages.report.revisions import Revision

HOW_TO_READ = (
    "HitRate@k is the share of queries with any right image among the first k, MRR the mean of one over the "
    "rank of the first right image. In brackets the 95 % interval, then the level of chance. Scores on "
    "different label sources answer different questions and do not compare with each other."
)
INSTRUCTIVE, QUERIES = "plots/instructive/", "plots/examples/"
GROUPS = {
    "plots/labels/": "Images and their labels",
    INSTRUCTIVE: "Queries on which models differ most",
    QUERIES: "Queries: what was found, and what was not",
    "plots/audit/": "Labels that look wrong",
}


def build(revisions: Sequence[Revision], charts: Sequence[Chart], sheets: Sequence[Sheet]) -> Report:
    """Return the report of one revision, or of two side by side (the first is the older)."""
    names, measures = " → ".join(revision.name for revision in revisions), measure_tables(revisions)
    sections = [
        Section("What was run", [_facts(revisions)]),
        Section("Conclusions", conclusions(revisions)),
        Section("Measures", measures, HOW_TO_READ if measures else ""),
        Section("Charts", charts),
        Section("Labels", label_tables(revisions)),
        _judgements(revisions),
        *_sheet_sections(sheets),
        *parameter_sections(revisions),
        _missing(revisions),
    ]
    return Report(
        "Text-to-image retrieval",
        f"Which model finds the right picture, how well, and why not · {names}",
        [section for section in sections if section.blocks or section.intro],
    )


def _facts(revisions: Sequence[Revision]) -> Table:
    """Return what was run: data, models, label sources."""
    columns = [_facts_of(revision) for revision in revisions]
    rows = [(name, *(column[name] for column in columns)) for name in columns[0]]
    return Table(["", *(revision.name for revision in revisions)], rows)


def _facts_of(revision: Revision) -> dict[str, str]:
    data = revision.dataset
    near, rejects, folders = (data.get(key) for key in ("near_duplicate_images", "rejects", "folders"))
    share = percent((number(near) or 0.0) / (number(data.get("images")) or 1.0))
    sizes = [data.get(side) for side in ("width", "height")]
    medians = " × ".join(figure(size.get("median")) if isinstance(size, Mapping) else "–" for size in sizes)
    models = dict.fromkeys(key.model for key in revision.keys)
    sources = dict.fromkeys(key.source for key in revision.keys)
    return {
        "revision": revision.commit or revision.name,
        "images": f"{figure(data.get('images'))} different ones in {figure(data.get('files'))} files "
        f"of {revision.param('data.images', '–')}, median size {medians} pixels",
        "folders": _counted(folders, "files"),
        "near-duplicates": f"{figure(near)} images ({share}) in {figure(data.get('near_duplicate_groups'))} groups; "
        f"{figure(data.get('exact_duplicate_files'))} exact copies of files",
        "files left out": _counted(rejects, "files") if rejects else "none",
        "models": "; ".join(f"{model}: {_model(revision, model)}" for model in models) or "–",
        "label sources": ", ".join(sources) or "–",
    }


def _counted(value: object, unit: str) -> str:
    if not isinstance(value, Mapping) or not value:
        return "–"
    return ", ".join(f"{name or 'top level'}: {figure(n)} {unit}" for name, n in value.items())


def _model(revision: Revision, model: str) -> str:
    tag = revision.param(f"models.{model}.pretrained")
    return f"{revision.param(f'models.{model}.name', '–')}{f' / {tag}' if tag else ''}"


def _judgements(revisions: Sequence[Revision]) -> Section:
    table = judgement_table(revisions)
    if table is not None:
        return Section("Judgements", [table], "Grades that people or models gave to what was found.")
    if not any(revision.judgements for revision in revisions):
        return Section("Judgements", [])
    intro = (
        "Nothing that was found has been judged yet: an image counts as right by its label and its likeness "
        "alone. `python -m text2image.commands.judge SOURCE` opens a page to grade results."
    )
    return Section("Judgements", [], intro)


def _sheet_sections(sheets: Sequence[Sheet]) -> list[Section]:
    """Return the sheets by what they show: data first, then labels, queries, suspicious labels, others."""
    grouped: dict[str, list[Sheet]] = {
        title: [] for title in ("The images", *GROUPS.values(), "Further sheets")
    }
    for sheet in sheets:
        prefix = next((prefix for prefix in GROUPS if sheet.path.startswith(prefix)), None)
        top = sheet.path.count("/") < 2
        grouped[GROUPS[prefix] if prefix else "The images" if top else "Further sheets"].append(sheet)
    return [Section(title, found) for title, found in grouped.items()]


def _missing(revisions: Sequence[Revision]) -> Section:
    lacking = [f"{revision.name}: {name}" for revision in revisions for name in revision.missing]
    intro = "`dvc repro` makes them, `dvc pull` fetches what another machine has made." if lacking else ""
    return Section("What this report lacks", [Sentences(lacking)] if lacking else [], intro)
