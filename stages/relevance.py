"""Stage ``relevance@SOURCE``: which images answer each query; ``python -m stages.relevance SOURCE``.

Separate from ``queries``, so that a change of what counts as relevant embeds nothing anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from stages import run
from text2image.base.console import InputError, say
from text2image.collection.manifest import read_groups
from text2image.formats.tables import read_csv, write_csv
from text2image.formats.texts import Query, query_id
from text2image.formats.trec import write_qrels
from text2image.params import Params
from text2image.queries.judgements import is_person, read_judgements
from text2image.queries.query import make_queries
from text2image.queries.relevance import Judgement, LeftOut, join_groups, judge_queries, near_duplicates_of


def read_source_queries(source: str) -> list[Query]:
    """Return the queries of a source with the images that carry their texts."""
    labels = read_csv(Path(f"data/labels/{source}.csv"), ["image_id", "text"])
    return make_queries((row["image_id"], row["text"]) for row in labels)


def source_judgements(source: str) -> list[Judgement]:
    """Return the judgements of one source, those of people last, so that they override models."""
    rows = [row for row in read_judgements() if row.source == source]
    rows.sort(key=lambda row: is_person(row.by))
    return [Judgement(query_id(row.query), row.image_id, row.relevance) for row in rows]


def read_alike(model: str | None) -> dict[str, int]:
    """Return ``{image_id: group}`` of the images that a model holds for nearly the same; {} for None."""
    if model is None:
        return {}
    return {
        row["image_id"]: int(row["group"])
        for row in read_csv(Path(f"data/alike/{model}.csv"), ["image_id", "group"])
    }


def check_some_left(source: str, relevance: dict[str, dict[str, int]], left_out: Sequence[LeftOut]) -> None:
    """Refuse a source all of whose queries were left out."""
    if not relevance:
        reasons = ", ".join(sorted({item.reason for item in left_out})) or "no label"
        raise InputError(
            f"expected at least one query of source '{source}' (params keys label.sources and queries), "
            f"found {len(left_out)}, all left out: {reasons}"
        )


def main(params: Params, source: str) -> None:
    settings, groups = params.queries, read_groups()
    near = (
        near_duplicates_of(join_groups(groups, read_alike(settings.cosine.model)))
        if settings.relevance == "near_duplicates"
        else {image_id: [image_id] for image_id in groups}
    )
    relevance, left_out = judge_queries(
        read_source_queries(source),
        near,
        source_judgements(source),
        max_relevant_share=settings.max_relevant_share,
        generic_words=settings.generic_words,
    )
    check_some_left(source, relevance, left_out)
    write_qrels(Path(f"data/qrels/{source}.qrels"), relevance)
    write_csv(Path(f"data/qrels/{source}_left_out.csv"), LeftOut._fields, left_out)
    pairs = sum(len(images) for images in relevance.values())
    say(f"relevance {source}: {len(relevance)} queries, {pairs} relevant images, {len(left_out)} left out")


if __name__ == "__main__":
    run(main, "source")
