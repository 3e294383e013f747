"""Stage ``examples@MODEL-SOURCE``: pictures of what the search found, and of what it did not.

``python -m stages.examples MODEL SOURCE`` draws the best and the worst queries by reciprocal rank.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from stages import run
from text2image.artifacts import ARTIFACTS
from text2image.collection.images import open_image
from text2image.collection.locations import Location, location
from text2image.collection.manifest import gallery, read_manifest
from text2image.formats.searched import read_searched
from text2image.formats.tables import Row, read_csv
from text2image.formats.trec import read_qrels, read_run
from text2image.pages.sheets import Cell, Strip, save_sheet
from text2image.params import Params

SHOWN = 5
HOW_TO_READ = (
    "left: an image that the query was made from · right: the first five found, relevant ones framed"
)


def margin(result: Row) -> float:
    """Return how far the best relevant image scores above the best irrelevant one."""
    return float(result["best_relevant"]) - float(result["best_irrelevant"] or -1.0)


def varied(ordered: Sequence[Row], n: int) -> list[Row]:
    """Return the first ``n`` rows of different clusters: queries about one image would show the same twice."""
    first: dict[str, Row] = {}
    for row in ordered:
        first.setdefault(row["cluster"], row)
    return list(first.values())[:n]


def best_queries(results: Sequence[Row], n: int) -> list[Row]:
    """Return the n best queries by reciprocal rank; among equals, those with the largest margin."""
    return varied(sorted(results, key=lambda r: (int(r["best_rank"]), -margin(r), r["text"])), n)


def worst_queries(results: Sequence[Row], n: int) -> list[Row]:
    """Return the n worst queries by reciprocal rank; among equals, those with the smallest margin."""
    return varied(sorted(results, key=lambda r: (-int(r["best_rank"]), margin(r), r["text"])), n)


def strip(
    result: Row,
    found: Sequence[tuple[str, float]],
    relevant: Mapping[str, int],
    path_of: Mapping[str, Location],
) -> Strip:
    """Return the row of pictures of one query."""
    shown = next((image for image, _ in found if image in relevant), min(relevant))
    cells = [Cell(open_image(path_of[shown]), f"rank {result['best_rank']}", relevant=True)]
    for rank, (image, score) in enumerate(found[:SHOWN], start=1):
        cells.append(Cell(open_image(path_of[image]), f"{rank} · {score:.3f}", image in relevant))
    n = int(result["n_relevant"])
    detail = (
        f"rank {result['best_rank']} of {len(path_of)} · {n} relevant image{'s' if n > 1 else ''} · "
        f"margin over the best irrelevant one {margin(result):+.3f}"
    )
    return Strip(f"“{result['text']}”", detail, cells, apart=(1,))


def main(params: Params, model: str, source: str) -> None:
    searched = set(read_searched(ARTIFACTS.searched).image_ids)
    images = gallery(read_manifest(), location(params.data.images))
    path_of = {image_id: path for image_id, path in images if image_id in searched}
    results = read_csv(Path(f"data/results/{model}/{source}.csv"), ["text", "best_rank", "cluster"])
    qrels = read_qrels(ARTIFACTS.qrels(source))
    chosen = {
        "best": best_queries(results, params.examples.best),
        "worst": worst_queries(results, params.examples.worst),
    }
    ids = {query["query_id"] for queries in chosen.values() for query in queries}
    found = read_run(Path(f"data/runs/{model}/{source}.run"), queries=ids)
    for kind, queries in chosen.items():
        strips = [strip(q, found.get(q["query_id"], []), qrels[q["query_id"]], path_of) for q in queries]
        title = f"{kind.capitalize()} queries: {model} on {source} labels"
        save_sheet(Path(f"plots/examples/{model}-{source}-{kind}.png"), title, HOW_TO_READ, strips)


if __name__ == "__main__":
    run(main, "model", "source")
