"""Which queries are worth looking at: the best, the worst, and those on which the models differ most."""

from collections.abc import Container, Iterator, Mapping
from typing import NamedTuple

import pandas as pd

from text2image.evaluation.results import Results
from text2image.formats.trec import Qrels, Run

SHOWN = 5
"""Images of a ranking that are shown, beside the relevant one."""


class Picture(NamedTuple):
    """A row of data/examples/SOURCE.csv: a picture on a sheet.

    Attributes:
        sheet: ``best``, ``worst`` or ``instructive``.
        model: whose ranking it is.
        query_id, text: the query.
        n_relevant: how many images answer it.
        best_rank: the rank of the first of them.
        n_images: how many images were searched.
        margin: the score of the best relevant image less that of the best irrelevant one.
        place: 1 to ``SHOWN`` for the first images of the ranking; 0 for the best relevant one, for comparison.
        image_id: the picture.
        score: its cosine similarity.
        relevant: 1 if it answers the query, else 0.
    """

    sheet: str
    model: str
    query_id: str
    text: str
    n_relevant: int
    best_rank: int
    n_images: int
    margin: str
    place: int
    image_id: str
    score: str
    relevant: int


def extreme_queries(queries: pd.DataFrame, sheet: str, n: int) -> pd.DataFrame:
    """Return the n ``best`` or ``worst`` queries by rank; among equals, those with the largest or smallest margin.

    One a cluster: queries about one image would show the same twice.
    """
    best = sheet == "best"
    ordered = queries.sort_values(["best_rank", "margin", "text"], ascending=[best, not best, True])
    return ordered.drop_duplicates("cluster").head(n)


def most_instructive(queries: Mapping[str, pd.DataFrame], n: int) -> list[tuple[int, str, str]]:
    """Return the n queries with the largest spread of reciprocal ranks over the models, one a cluster.

    Args:
        queries: the results by model, the same queries in each.
        n: at most so many.

    Returns:
        A row of the results and the models that rank its image best and worst: of those that rank alike
        the first as best, the last as worst.
    """
    first = next(iter(queries.values()))
    ranks = pd.DataFrame({model: table["best_rank"] for model, table in queries.items()})
    table = first[["text", "cluster"]].assign(
        spread=1.0 / ranks.min(axis=1) - 1.0 / ranks.max(axis=1),
        best=ranks.idxmin(axis=1),
        worst=ranks[ranks.columns[::-1]].idxmax(axis=1),
    )
    ordered = table.sort_values(["spread", "text"], ascending=[False, True]).drop_duplicates("cluster")
    chosen = ordered[ordered["spread"] > 0].head(n)
    return list(chosen[["best", "worst"]].itertuples(name=None))


def choose_examples(
    results: Mapping[str, Results],
    runs: Mapping[str, Run],
    qrels: Qrels,
    untested: Container[str] = (),
    *,
    best: int,
    worst: int,
    instructive: int,
) -> Iterator[Picture]:
    """Yield the pictures of every model's best and worst queries of one source, then of the instructive ones.

    Args:
        results: of one source by model.
        runs: the same models' rankings, at least the first ``SHOWN`` images of every query.
        qrels: which images answer each query.
        untested: models that are circular with the source, and so take no part in what is ``instructive``.
        best, worst, instructive: how many queries a sheet shows; the last only where there are several models.
    """

    def pictures(sheet: str, model: str, queries: pd.DataFrame) -> Iterator[Picture]:
        for query in queries.itertuples():
            of_query = query.query_id, query.text, query.n_relevant, query.best_rank
            about = *of_query, results[model].ranked.n_images, f"{query.margin:.6f}"
            shown = [(query.best_image, query.best_relevant), *runs[model][query.query_id][:SHOWN]]
            for place, (image, score) in enumerate(shown):
                relevant = int(image in qrels[query.query_id])
                yield Picture(sheet, model, *about, place, image, f"{score:.9g}", relevant)

    tables = {model: with_margins(one.queries) for model, one in results.items()}
    for model, table in tables.items():
        for sheet, n in (("best", best), ("worst", worst)):
            yield from pictures(sheet, model, extreme_queries(table, sheet, n))
    tested = {model: table for model, table in tables.items() if model not in untested}
    if len(tested) > 1:
        for row, *models in most_instructive(tested, instructive):
            for model in models:
                yield from pictures("instructive", model, tables[model].loc[[row]])


def with_margins(queries: pd.DataFrame) -> pd.DataFrame:
    """Add how far the best relevant image scores above the best irrelevant one; -1 counts where there is none."""
    return queries.assign(margin=queries["best_relevant"] - queries["best_irrelevant"].fillna(-1.0))
