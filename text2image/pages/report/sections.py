"""A report's sections in the order in which a customer reads them: pure, from what revisions hold to blocks."""

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

from text2image.base.console import one_line
from text2image.encoders.readings import reading_sentence
from text2image.evaluation.statistics.intervals import MIN_CLUSTERS
from text2image.pages.report.blocks import Chart, Report, Section, Sentences, SheetBlock, Table
from text2image.pages.report.conclusions import conclusions
from text2image.pages.report.costs import cost_table
from text2image.pages.report.figures import figure, number, percent
from text2image.pages.report.parameters import parameter_sections
from text2image.pages.report.revisions import Revision
from text2image.pages.report.tables import judgement_table, label_tables, measure_tables

HOW_TO_READ = (
    "HitRate@k is the share of queries with any right image among the first k, MRR the mean of one over the "
    f"rank of the first right image. In brackets the 95 % interval, if there are at least {MIN_CLUSTERS} independent queries, then "
    "the level of chance. Scores on different label sources answer different questions and do not compare with each "
    "other."
)
IMAGES, LABELS, DIFFERENCES, QUERIES, SUSPICIOUS, FURTHER = (
    "The images",
    "Images and their labels",
    "Queries on which systems differ most",
    "Queries: what was found, and what was not",
    "Labels that look wrong",
    "Further sheets",
)
"""The titles of sections of sheets, in their order."""


def build(revisions: Sequence[Revision], charts: Sequence[Chart], sheets: Sequence[SheetBlock]) -> Report:
    """Return the report of one revision, or of two side by side (the first is the older)."""
    names, measures = " → ".join(revision.name for revision in revisions), measure_tables(revisions)
    sections = [
        _outdated(revisions),
        Section("What was run", [_overview(revisions)]),
        Section("Conclusions", conclusions(revisions)),
        Section("Measures", measures, HOW_TO_READ if measures else ""),
        Section("Costs", cost_table(revisions[-1])),
        Section("Charts", charts),
        Section("Labels", [*_remarks(revisions), *label_tables(revisions)]),
        _judgements(revisions),
        *_sheet_sections(sheets),
        *parameter_sections(revisions),
        _missing(revisions),
    ]
    return Report(
        "Text-to-image retrieval",
        f"Which system finds the right picture, how well, and why not · {names}",
        [section for section in sections if section.blocks or section.intro],
    )


def _remarks(revisions: Sequence[Revision]) -> list[Sentences]:
    """Return what is to be known of texts: rows that name no image, and queries that models do not read as they are."""
    said = [
        (revision.name, source, remark)
        for revision in revisions
        for source, remarks in revision.remarks.items()
        for remark in remarks
    ]
    said += [
        (revision.name, source, sentence)
        for revision in revisions
        for (model, source), figures in revision.readings.items()
        if (sentence := reading_sentence(model, figures))
    ]
    names = [f"{name}, {source}" if len(revisions) > 1 else source for name, source, _ in said]
    sentences = [f"{name}: {sentence}." for name, (*_, sentence) in zip(names, said, strict=True)]
    return [Sentences(sentences, "What to know of the texts")] if sentences else []


def _overview(revisions: Sequence[Revision]) -> Table:
    """Return what was run: data, systems, label sources."""
    columns = [_overview_of(revision) for revision in revisions]
    rows = [(name, *(column[name] for column in columns)) for name in columns[0]]
    return Table(["", *(revision.name for revision in revisions)], rows)


def _overview_of(revision: Revision) -> dict[str, str]:
    data = revision.dataset
    near, rejects, folders = (data.get(key) for key in ("near_duplicate_images", "rejects", "folders"))
    share = percent((number(near) or 0.0) / (number(data.get("images")) or 1.0))
    sizes = [data.get(side) for side in ("width", "height")]
    medians = " × ".join(
        figure(size.get("median"), 0) if isinstance(size, Mapping) else "–" for size in sizes
    )
    systems = dict.fromkeys(key.system for key in revision.keys)
    sources = dict.fromkeys(key.source for key in revision.keys)
    return {
        "revision": revision.commit or revision.name,
        "images": f"{figure(data.get('images'))} different ones in {figure(data.get('files'))} files "
        f"of {revision.param('data.images', '–')}, median size {medians} pixels{_blank(data.get('blank_images'))}",
        "folders": _counted(folders, "files"),
        "near-duplicates": f"{figure(near)} images ({share}) in {figure(data.get('near_duplicate_groups'))} groups; "
        f"{figure(data.get('exact_duplicate_files'))} exact copies of files",
        "files left out": _counted(rejects, "files") if rejects else "none",
        "systems": "; ".join(f"{system}: {_system(revision, system)}" for system in systems) or "–",
        "label sources": ", ".join(sources) or "–",
    }


def _blank(value: object) -> str:
    """Return how many images are blank, if any is."""
    return f"; {figure(value)} blank (one colour)" if number(value) else ""


def _counted(value: object, unit: str) -> str:
    if not isinstance(value, Mapping) or not value:
        return "–"
    return ", ".join(f"{name or 'top level'}: {figure(n)} {unit}" for name, n in value.items())


def _system(revision: Revision, system: str) -> str:
    """Return what a system is: the settings of its entry in ``systems``, or the model that it is alone."""
    settings = revision.param(f"systems.{system}")
    if not isinstance(settings, Mapping):
        return _model(revision, system)
    return one_line(
        ", ".join(f"{key} {_value(value)}" for key, value in settings.items() if value is not None)
    )


def _value(value: object) -> str:
    """Return a setting as people write it: lists and weights without brackets.

    >>> _value(["a", "b"]), _value({"a": 0.5, "b": 1.0})
    ('a + b', 'a 0.5 + b 1.0')
    """
    if isinstance(value, Mapping):
        return " + ".join(f"{name} {one}" for name, one in value.items())
    return " + ".join(map(str, value)) if isinstance(value, list) else str(value)


def _model(revision: Revision, model: str) -> str:
    tag = revision.param(f"models.{model}.pretrained")
    return f"{revision.param(f'models.{model}.name', '–')}{f' / {tag}' if tag else ''}"


def _judgements(revisions: Sequence[Revision]) -> Section:
    if (table := judgement_table(revisions)) is not None:
        return Section("Judgements", [table], "Grades that people or models gave to results.")
    none_yet = (
        "Nothing that was found has been judged yet: an image counts as right by its label and its likeness "
        "alone. `t2i judge SOURCE` opens a page to grade results."
    )
    return Section("Judgements", [], none_yet if any(of.judgements for of in revisions) else "")


def _sheet_sections(sheets: Sequence[SheetBlock]) -> list[Section]:
    """Return the sheets by what they show: data first, then labels, queries, suspicious labels, others."""
    return [
        Section(title, [sheet for sheet in sheets if _group(PurePosixPath(sheet.path)) == title])
        for title in (IMAGES, LABELS, DIFFERENCES, QUERIES, SUSPICIOUS, FURTHER)
    ]


def _group(path: PurePosixPath) -> str:
    """Return under which title a sheet stands; a picture in a folder of its own stands last."""
    match path.parts:
        case ("plots", _):
            return IMAGES
        case ("plots", "labels", _):
            return LABELS
        case ("plots", "examples", _, "instructive.png"):
            return DIFFERENCES
        case ("plots", "examples", *_):
            return QUERIES
        case ("plots", "audit", _):
            return SUSPICIOUS
    return FURTHER


def _outdated(revisions: Sequence[Revision]) -> Section:
    said = [f"{revision.name}: {sentence}" for revision in revisions for sentence in revision.outdated]
    intro = (
        "It belongs to other images, queries or parameters than the present ones, and is not shown."
        if said
        else ""
    )
    return Section("Out of date", [Sentences(said)] if said else [], intro)


def _missing(revisions: Sequence[Revision]) -> Section:
    lacking = [f"{revision.name}: {name}" for revision in revisions for name in revision.missing]
    intro = "`dvc repro` makes them, `dvc pull` fetches what another machine has made." if lacking else ""
    return Section("What this report lacks", [Sentences(lacking)] if lacking else [], intro)
