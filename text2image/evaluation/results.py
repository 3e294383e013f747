"""The results of one system on one source: a row a query, from the exact ranks that ``retrieve`` wrote."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from text2image.base.console import InputError
from text2image.evaluation.ranked import RankedQueries
from text2image.formats.tables import FINITE, WHOLE_NUMBER, as_written, read_csv, write_csv
from text2image.queries.clusters import query_clusters
from text2image.queries.split import SplitRow

RANK_COLUMNS = ("query_id", "text", "image_id", "relevance", "rank", "score")


class Results(NamedTuple):
    """What one system found for the queries of one source.

    Attributes:
        queries: a row a query: ``query_id``, ``text``, ``n_relevant``, ``best_rank``, ``best_image``, the scores
            ``best_relevant`` and ``best_irrelevant`` (NaN where every image is relevant), ``cluster``, ``kind`` (kinds, joined; ""
            for none).
        ranked: the ranks of all relevant images.
    """

    queries: pd.DataFrame
    ranked: RankedQueries


AllResults = dict[tuple[str, str], Results]
"""By system and source."""


def read_ranks(path: Path) -> pd.DataFrame:
    """Read data/ranks/SYSTEM/SOURCE.csv: a row a relevant image and one for each query's best irrelevant image.

    Raises:
        InputError: there is no such file, or it is not that.
    """
    rows = read_csv(
        path, RANK_COLUMNS, numbers={"relevance": WHOLE_NUMBER, "rank": WHOLE_NUMBER, "score": FINITE}
    )
    table = pd.DataFrame(rows, columns=list(RANK_COLUMNS), dtype=object)
    with as_written(path, "a relevance of 0 or more, a rank of 1 or more and a score in each row"):
        table = table.astype({"relevance": "int64", "rank": "int64", "score": "float64"})
        for column, least in (("relevance", 0), ("rank", 1)):
            if (table[column] < least).any():
                raise ValueError(f"a {column} of {table[column].min()}")
    return table


def make_results(
    ranks: pd.DataFrame, group_of: Mapping[str, int], n_images: int, kinds: Mapping[str, str] | None = None
) -> Results:
    """Return the results that follow from a table of ranks, queries in its order.

    Args:
        ranks: from :func:`read_ranks`.
        group_of: ``{image_id: near-duplicate group}``; queries about images of one group are a cluster.
        n_images: how many images were searched.
        kinds: ``{query_id: kinds}``, from :func:`text2image.queries.query.read_query_kinds`.
    """
    relevant = ranks[ranks["relevance"] > 0]
    by_query = relevant.groupby("query_id", sort=False)
    sizes = by_query.size().to_numpy()
    groups = relevant["image_id"].map(group_of).to_numpy()
    clusters = query_clusters(np.repeat(np.arange(len(sizes)), sizes), groups, len(sizes))
    ranked = RankedQueries(
        relevant["rank"].to_numpy(), relevant["relevance"].to_numpy(), sizes, n_images, clusters
    )
    best = relevant.loc[by_query["rank"].idxmin()]
    irrelevant = ranks[ranks["relevance"] == 0].set_index("query_id")["score"]
    queries = pd.DataFrame(
        {
            "query_id": best["query_id"].to_numpy(),
            "text": best["text"].to_numpy(),
            "n_relevant": sizes,
            "best_rank": best["rank"].to_numpy(),
            "best_image": best["image_id"].to_numpy(),
            "best_relevant": best["score"].to_numpy(),
            "best_irrelevant": irrelevant.reindex(best["query_id"]).to_numpy(),
            "cluster": clusters,
            "kind": [(kinds or {}).get(one, "") for one in best["query_id"]],
        }
    )
    return Results(queries, ranked)


def decimals(table: pd.DataFrame, digits: int = 6) -> pd.DataFrame:
    """Return a table with its floats as text of so many decimals; whole numbers and what is not known stay."""
    floats = table.select_dtypes("float64")
    as_text = {name: floats[name].map(f"{{:.{digits}f}}".format, na_action="ignore") for name in floats}
    return table.assign(**as_text)


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write a table as CSV; what is not known is empty."""
    cells = table.astype(object).where(table.notna(), "")
    write_csv(path, list(table.columns), cells.itertuples(index=False, name=None))


def write_results(path: Path, results: Results) -> None:
    """Write data/results/SYSTEM/SOURCE.csv, which holds nothing that depends on ``evaluate.k``.

    The column ``kind`` is there only where a text has one.
    """
    reciprocal = (1.0 / results.queries["best_rank"]).map("{:.6g}".format)
    unknown = ["best_image"] if results.queries["kind"].any() else ["best_image", "kind"]
    write_table(path, results.queries.assign(reciprocal_rank=reciprocal).drop(columns=unknown))


def refuse_leaks(ranks: pd.DataFrame, system: str, split: Sequence[SplitRow], part: str) -> None:
    """Refuse ranks in which a fine-tuned model answers what it has seen.

    Args:
        ranks: of the system on one source.
        system: its name.
        split: the split of the run that made it.
        part: the only part of it that may be measured (``evaluate.part``).

    Raises:
        InputError: a query, or an image ranked for one, belongs to another part.
    """
    queries, images = (
        {getattr(row, kind) for row in split if row.part != part} for kind in ("query_id", "image_id")
    )
    seen = ranks[ranks["query_id"].isin(queries) | ranks["image_id"].isin(images)]
    if len(seen):
        raise InputError(
            f"expected data/ranks/{system} to hold what '{system}' has not seen (the {part} part of its split), found "
            f"{seen['query_id'].nunique()} queries of other parts; evaluate.part: train measures them, labelled as such"
        )
