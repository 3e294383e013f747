"""The parameters that made a result, and those in which two revisions differ."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml

from text2image.pages.report.blocks import Section, Table
from text2image.pages.report.revisions import Revision


def flat(params: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    """Yield ``(dotted key, value as in YAML)`` of every leaf; prompts keep their lines."""
    for key, value in params.items():
        name = f"{path}{key}"
        if isinstance(value, Mapping) and value:
            yield from flat(value, f"{name}.")
        else:
            dumped = yaml.safe_dump(value, default_flow_style=True, width=1000, allow_unicode=True)
            yield name, (value if isinstance(value, str) else dumped.removesuffix("...\n")).rstrip()


def used(revision: Revision) -> dict[str, Any]:
    """Return the parameters that can have had an effect: no other label sources, models and systems, no ``runtime``."""
    kept = {section: value for section, value in revision.params.items() if section != "runtime"}
    for section, listed in (
        ("label", [*revision.listed("label.sources"), *revision.listed("retrieve.fields")]),
        ("models", revision.listed("embed.models")),
        ("systems", _needed(revision, revision.listed("retrieve.systems"))),
    ):
        if listed and isinstance(kept.get(section), Mapping):
            kept[section] = {
                name: value
                for name, value in kept[section].items()
                if name in listed or not isinstance(value, Mapping)
            }
    return kept


def _needed(revision: Revision, systems: Sequence[Any]) -> list[Any]:
    """Return systems and those that they are made of, each once."""
    needed: list[Any] = []
    todo = list(systems)
    while todo:
        name = todo.pop(0)
        if name not in needed:
            needed.append(name)
            of = revision.param(f"systems.{name}.of", [])
            todo += of if isinstance(of, list) else [of]
    return needed


def parameter_sections(revisions: Sequence[Revision]) -> list[Section]:
    """Return what differs, if there are two revisions, and all parameters in use, folded."""
    sections = []
    if len(revisions) == 2:
        first, second = (dict(flat(revision.params)) for revision in revisions)
        keys = [key for key in {**first, **second} if first.get(key) != second.get(key)]
        rows = [(key, first.get(key, "–"), second.get(key, "–")) for key in keys]
        intro = "" if rows else "The parameters are the same in both revisions."
        tables = [Table(["parameter", *(r.name for r in revisions)], rows)] if rows else []
        sections.append(Section("Parameters that differ", tables, intro))
    values = [dict(flat(used(revision))) for revision in revisions]
    keys = list({key: None for row in values for key in row})
    table = Table(
        ["parameter", *(r.name if len(revisions) == 2 else "value" for r in revisions)],
        [(key, *(row.get(key, "–") for row in values)) for key in keys],
    )
    intro = (
        "From params.yaml, without models, systems and label sources that are not in use and without runtime."
    )
    return [*sections, Section("All parameters in use", [table], intro, folded=True)] if keys else sections
