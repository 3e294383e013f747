"""Stage ``split@NAME``: which part of the data a fine-tuning run learns from; ``python -m stages.split NAME``.

Divides the relevant pairs of the run's label sources into train, validation and test. Near-duplicates
are those of the catalog: likeness by a model would need a model first.
"""

from __future__ import annotations

from stages import run
from stages.relevance import read_source_queries, source_judgements
from text2image.base.console import InputError, say
from text2image.collection.manifest import read_groups
from text2image.finetuning.settings import FinetuneRun
from text2image.params import Params
from text2image.queries.relevance import judge_queries, near_duplicates_of
from text2image.queries.split import (
    PARTS,
    TEST,
    TRAIN,
    VALIDATION,
    SplitRow,
    assign,
    components,
    sizes,
    split_rows,
)
from text2image.queries.splits import SPLITS, check_split, write_split


def relevant(
    params: Params, sources: list[str], group_of: dict[str, int]
) -> tuple[dict[str, dict[str, int]], dict[str, str]]:
    """Return the graded relevance of the queries of several sources together, and their texts."""
    near = (
        near_duplicates_of(group_of)
        if params.queries.relevance == "near_duplicates"
        else {image: [image] for image in group_of}
    )
    relevance: dict[str, dict[str, int]] = {}
    texts: dict[str, str] = {}
    for source in sources:
        queries = read_source_queries(source)
        judged, _ = judge_queries(
            queries,
            near,
            source_judgements(source),
            max_relevant_share=params.queries.max_relevant_share,
            generic_words=params.queries.generic_words,
        )
        texts |= {query.query_id: query.text for query in queries if query.query_id not in texts}
        for query, images in judged.items():
            known = relevance.setdefault(query, {})
            known |= {image: max(grade, known.get(image, 0)) for image, grade in images.items()}
    return relevance, texts


def divide(
    relevance: dict[str, dict[str, int]],
    texts: dict[str, str],
    group_of: dict[str, int],
    settings: FinetuneRun,
) -> tuple[list[SplitRow], dict[str, int]]:
    """Return the split's rows, and the component of each query."""
    pairs = [(query, image) for query, images in relevance.items() for image in images]
    component_of = components(pairs, group_of)
    shares = {
        TRAIN: 1 - settings.validation - settings.test,
        VALIDATION: settings.validation,
        TEST: settings.test,
    }
    part_of = assign(component_of, shares, settings.seed)
    return split_rows(relevance, texts, part_of, group_of), component_of


def main(params: Params, name: str) -> None:
    group_of = read_groups()
    settings = params.finetune.runs[name]
    relevance, texts = relevant(params, settings.sources, group_of)
    rows, component_of = divide(relevance, texts, group_of, settings)
    table = sizes(rows, component_of)
    if not all(table[part]["queries"] for part in PARTS):
        raise InputError(
            f"expected queries for {', '.join(PARTS)} from finetune.runs.{name}.sources, found "
            f"{len(component_of)} queries in {len(set(component_of.values()))} groups that share no image or text"
        )
    path = SPLITS / f"{name}.csv"
    check_split(rows, group_of, path)
    write_split(path, rows)
    for part, row in table.items():
        say(
            f"split {name}: {part} "
            + ", ".join(f"{value} {key.replace('_', ' ')}" for key, value in row.items())
        )


if __name__ == "__main__":
    run(main, "name")
