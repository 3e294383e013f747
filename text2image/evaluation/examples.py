"""Which queries are worth looking at: the best, the worst, and those on which the systems differ most."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import pandas as pd

from text2image.evaluation.results import Results
from text2image.formats.trec import Qrels, Run

SHOWN = 5
"""Images of a ranking that are shown, beside the one that the query was made from."""

NO_REASON = "{}"
"""What ``why`` holds of an image that its system says nothing of."""


class Picture(NamedTuple):
    """A row of data/examples/SOURCE.csv: a picture on a sheet.

    Attributes:
        sheet: ``best``, ``worst`` or ``instructive``.
        system: whose ranking it is.
        query_id, text: the query.
        n_relevant: how many images answer it.
        best_rank: the rank of the first of them.
        n_images: how many images were searched.
        margin: the score of the best relevant image less that of the best irrelevant one; 0 where there is none.
        place: 1 to ``SHOWN`` for the first images of the ranking; 0 for the image that the query was made from, for
            comparison.
        image_id: the picture.
        rank: its rank.
        score: what the system gave it; scores of different kinds of system do not compare.
        relevant: 1 if it answers the query, else 0.
        labelled: 1 if a label gives it the query's text, else 0. At place 0 it is 0 where none of the images that carry
            the text is searched and relevant: there stands the best relevant image.
        circular: 1 if the labels are no test of the system, else 0.
        why: why the system has it there, as JSON of :class:`text2image.retrieval.systems.scorer.Why`; ``{}`` where nothing is
            known.
    """

    sheet: str
    system: str
    query_id: str
    text: str
    n_relevant: int
    best_rank: int
    n_images: int
    margin: str
    place: int
    image_id: str
    rank: int
    score: str
    relevant: int
    labelled: int
    circular: int
    why: str


class RankedImage(NamedTuple):
    """An image with its rank and its score for a query."""

    image_id: str
    rank: int
    score: float


def labelled_images(ranks: pd.DataFrame, carriers: Mapping[str, Collection[str]]) -> dict[str, RankedImage]:
    """Return for each query the best ranked of the relevant images that its text was made from.

    Args:
        ranks: of one system, from :func:`text2image.evaluation.results.read_ranks`.
        carriers: by query, the images whose label is its text.

    Returns:
        ``{query_id: image}``, without the queries whose own images are not searched or were judged irrelevant.
    """
    pairs = zip(ranks["query_id"], ranks["image_id"], strict=True)
    carries = pd.Series([image in carriers[query] for query, image in pairs], index=ranks.index, dtype=bool)
    own = ranks[carries & (ranks["relevance"] > 0)].sort_values("rank").drop_duplicates("query_id")
    rows = own[["query_id", *RankedImage._fields]].itertuples(index=False, name=None)
    return {query: RankedImage(*image) for query, *image in rows}


def extreme_queries(queries: pd.DataFrame, sheet: str, n: int) -> pd.DataFrame:
    """Return the n ``best`` or ``worst`` queries by rank; among equals, those with the largest or smallest margin.

    One a cluster: queries about one image would show the same twice.
    """
    best = sheet == "best"
    ordered = queries.sort_values(["best_rank", "margin", "text"], ascending=[best, not best, True])
    return ordered.drop_duplicates("cluster").head(n)


def most_instructive(queries: Mapping[str, pd.DataFrame], n: int) -> list[tuple[int, str, str]]:
    """Return the n queries with the largest spread of reciprocal ranks over the systems, one a cluster.

    Args:
        queries: the results by system, the same queries in each.
        n: at most so many.

    Returns:
        A row of the results and the systems that rank its image best and worst: of those that rank alike
        the first as best, the last as worst.
    """
    first = next(iter(queries.values()))
    ranks = pd.DataFrame({system: table["best_rank"] for system, table in queries.items()})
    table = first[["text", "cluster"]].assign(
        spread=1.0 / ranks.min(axis=1) - 1.0 / ranks.max(axis=1),
        best=ranks.idxmin(axis=1),
        worst=ranks[ranks.columns[::-1]].idxmax(axis=1),
    )
    ordered = table.sort_values(["spread", "text"], ascending=[False, True]).drop_duplicates("cluster")
    chosen = ordered[ordered["spread"] > 0].head(n)
    return list(chosen[["best", "worst"]].itertuples(name=None))


class Ranking(NamedTuple):
    """What one system found for the queries of one source.

    Attributes:
        results: a row a query.
        run: at least the first ``SHOWN`` images of every query.
        labelled: from :func:`labelled_images`.
        circular: whether the system shares its origins with the source, and so takes no part in what is ``instructive``.
    """

    results: Results
    run: Run
    labelled: Mapping[str, RankedImage]
    circular: bool = False


def choose_examples(
    rankings: Mapping[str, Ranking],
    qrels: Qrels,
    carriers: Mapping[str, Collection[str]],
    *,
    best: int,
    worst: int,
    instructive: int,
) -> Iterator[Picture]:
    """Yield the pictures of every system's best and worst queries of one source, then of the instructive ones.

    Why a system has an image where it has it is not known yet: :func:`with_reasons` adds it.

    Args:
        rankings: of one source by system.
        qrels: which images answer each query.
        carriers: by query, the images whose label is its text.
        best, worst, instructive: how many queries a sheet shows; the last only where there are several systems.
    """

    def pictures(sheet: str, system: str, queries: pd.DataFrame) -> Iterator[Picture]:
        for query in queries.itertuples():
            of_query = query.query_id, query.text, query.n_relevant, query.best_rank
            about = *of_query, rankings[system].results.ranked.n_images, f"{query.margin:.6f}"
            best_relevant = RankedImage(query.best_image, query.best_rank, query.best_relevant)
            for place, image in enumerate(shown_images(rankings[system], query.query_id, best_relevant)):
                relevant, labelled = (int(image.image_id in of[query.query_id]) for of in (qrels, carriers))
                marks = relevant, labelled, int(rankings[system].circular)
                ranked = image.image_id, image.rank, f"{image.score:.9g}"
                yield Picture(sheet, system, *about, place, *ranked, *marks, NO_REASON)

    tables = {system: with_margins(one.results.queries) for system, one in rankings.items()}
    for system, table in tables.items():
        for sheet, n in (("best", best), ("worst", worst)):
            yield from pictures(sheet, system, extreme_queries(table, sheet, n))
    tested = {system: table for system, table in tables.items() if not rankings[system].circular}
    if len(tested) > 1:
        for row, *systems in most_instructive(tested, instructive):
            for system in systems:
                yield from pictures("instructive", system, tables[system].loc[[row]])


def with_reasons(
    pictures: Sequence[Picture], reasons: Callable[[str], Iterable[Mapping[str, str]]]
) -> Iterator[Picture]:
    """Yield the pictures with the reasons that their systems give for them.

    Args:
        pictures: of one source.
        reasons: returns the rows of data/why/SYSTEM/SOURCE.csv of a system.
    """
    why = {
        (system, row["query_id"], row["image_id"]): row["why"]
        for system in dict.fromkeys(picture.system for picture in pictures)
        for row in reasons(system)
    }
    for picture in pictures:
        key = picture.system, picture.query_id, picture.image_id
        yield picture._replace(why=why.get(key, NO_REASON))


def shown_images(ranking: Ranking, query_id: str, best_relevant: RankedImage) -> list[RankedImage]:
    """Return the image that a query was made from, or else the best relevant one, and the first of the ranking."""
    first = enumerate(ranking.run[query_id][:SHOWN], start=1)
    own = ranking.labelled.get(query_id, best_relevant)
    return [own, *(RankedImage(image, rank, score) for rank, (image, score) in first)]


def with_margins(queries: pd.DataFrame) -> pd.DataFrame:
    """Add how far the best relevant image scores above the best irrelevant one; 0 where there is none."""
    return queries.assign(margin=(queries["best_relevant"] - queries["best_irrelevant"]).fillna(0.0))
