"""Stage ``relevance``: decide once what is asked, which images are searched, and which of them answer each query.

A source of which nothing can be asked is left out, with the reason; the other sources go on. Left out are queries that cannot be
searched for and, while a fine-tuned model is in use, the images and queries that it may have seen: for all models, so
that all are measured on the same. No later stage decides it again.
"""

from collections import Counter

from stages import run
from text2image.artifacts import ARTIFACTS
from text2image.base.console import say
from text2image.collection.manifest import read_groups
from text2image.formats.searched import write_searched
from text2image.formats.tables import read_csv, write_csv
from text2image.formats.trec import write_qrels
from text2image.formats.views import read_image_vectors
from text2image.params import Params
from text2image.queries.asked import (
    ClusterRow,
    ExcludedRow,
    LeftOutSource,
    ask,
    check_some_asked,
    cluster_rows,
    exclude,
    excluded_rows,
    why_left_out,
)
from text2image.queries.judgements import read_judgements
from text2image.queries.query import read_label_queries
from text2image.queries.relevance import LeftOut, join_groups
from text2image.queries.settings import Queries
from text2image.queries.split import read_split
from text2image.retrieval.alike import alike_pairs


def similar_groups(settings: Queries, group_of: dict[str, int]) -> dict[str, int]:
    """Return the near-duplicate groups, joined where a model finds images similar; without one, no vector is read."""
    model = settings.cosine.model
    if model is None or settings.relevance == "strict":
        return group_of
    vectors = read_image_vectors(ARTIFACTS.image_vectors(model), ARTIFACTS.views(model), sorted(group_of))
    return join_groups(group_of, alike_pairs(vectors.first(), settings.cosine.threshold))


def reasons_without_label(source: str) -> Counter[str]:
    """Count why images have no label from a source."""
    return Counter(row["reason"] for row in read_csv(ARTIFACTS.without_label(source), ["reason"]))


def main(params: Params) -> None:
    group_of, part = read_groups(ARTIFACTS.catalog), params.evaluate.part
    splits = {name: read_split(ARTIFACTS.split(name), group_of) for name in params.tuned_runs()}
    seen = [row for name, split in splits.items() for row in excluded_rows(name, split, part)]
    images, queries = ({row.id for row in seen if row.kind == kind} for kind in ("image", "query"))
    left_out_sources: list[LeftOutSource] = []
    judgements, similar = read_judgements(ARTIFACTS.judgements), similar_groups(params.queries, group_of)
    for source in params.label.sources:
        of_labels = read_label_queries(ARTIFACTS.labels(source))
        asked = exclude(ask(source, of_labels, judgements, similar, params.queries), images, queries)
        write_qrels(ARTIFACTS.qrels(source), asked.relevance)
        write_csv(ARTIFACTS.left_out(source), LeftOut._fields, asked.left_out)
        write_csv(ARTIFACTS.clusters(source), ClusterRow._fields, cluster_rows(asked.relevance, group_of))
        if reason := why_left_out(asked, reasons_without_label(source)):
            left_out_sources.append(LeftOutSource(source, reason))
            say(f"relevance {source}: left out of all figures, as {reason}")
            continue
        n_asked, n_pairs = len(asked.relevance), sum(map(len, asked.relevance.values()))
        n_left_out = len(asked.left_out)
        say(
            f"relevance {source}: {n_asked} queries, {n_pairs} relevant images, {n_left_out} queries left out"
        )
    check_some_asked(left_out_sources, params.label.sources)
    write_csv(ARTIFACTS.left_out_sources, LeftOutSource._fields, left_out_sources)
    ARTIFACTS.excluded.unlink(missing_ok=True)
    if splits:
        write_csv(ARTIFACTS.excluded, ExcludedRow._fields, seen)
    n_searched = write_searched(ARTIFACTS.searched, sorted(group_of), images)
    say(f"relevance: {n_searched} of {len(group_of)} images are searched")


if __name__ == "__main__":
    run(main)
