"""Stage ``examples_instructive``: for each source, the queries on which the models differ most.

What the best model found stands above what the worst one found.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from stages import run
from stages.examples import HOW_TO_READ, strip
from text2image.artifacts import ARTIFACTS
from text2image.collection.locations import Location, location
from text2image.collection.manifest import gallery, read_manifest
from text2image.formats.searched import read_searched
from text2image.formats.tables import Row, read_csv
from text2image.formats.trec import read_qrels, read_run
from text2image.pages.sheets import Strip, save_sheet
from text2image.params import Params

ALONE = "One model only: list another under embed.models to see where they differ"
ALIKE = "The models put the first relevant image at the same rank for every query"


class Split(NamedTuple):
    """A query that models answer unlike: the models that rank its first relevant image best and worst."""

    text: str
    cluster: str
    best: tuple[str, Row]
    worst: tuple[str, Row]

    @property
    def spread(self) -> float:
        """The difference of the two reciprocal ranks, in [0, 1)."""
        return 1.0 / int(self.best[1]["best_rank"]) - 1.0 / int(self.worst[1]["best_rank"])


def most_instructive(results: Mapping[str, Sequence[Row]], n: int) -> list[Split]:
    """Return the ``n`` queries with the largest spread of reciprocal ranks over the models, one a cluster.

    Args:
        results: the rows of data/results/MODEL/SOURCE.csv by model, the same queries in each. Of models
            that rank alike the first counts.
    """
    splits = []
    for rows in zip(*results.values(), strict=True):
        answers = sorted(zip(results, rows, strict=True), key=lambda answer: int(answer[1]["best_rank"]))
        splits.append(Split(rows[0]["text"], rows[0]["cluster"], answers[0], answers[-1]))
    first: dict[str, Split] = {}
    for split in sorted(splits, key=lambda split: (-split.spread, split.text)):
        first.setdefault(split.cluster, split)
    return [split for split in first.values() if split.spread > 0][:n]


def draw(source: str, params: Params, path_of: Mapping[str, Location]) -> None:
    """Write the sheet of one source; ``path_of`` holds the images that are ranked."""
    models = params.embed.models
    qrels = read_qrels(ARTIFACTS.qrels(source))
    columns = ["text", "best_rank", "cluster"]
    results = {model: read_csv(Path(f"data/results/{model}/{source}.csv"), columns) for model in models}
    splits = most_instructive(results, params.examples.instructive)
    shown = {model for split in splits for model in (split.best[0], split.worst[0])}
    ids = {answer[1]["query_id"] for split in splits for answer in (split.best, split.worst)}
    runs = {model: read_run(Path(f"data/runs/{model}/{source}.run"), queries=ids) for model in shown}
    strips = []
    for model, result in (answer for split in splits for answer in (split.best, split.worst)):
        query = result["query_id"]
        drawn = strip(result, runs[model][query], qrels[query], path_of)
        strips.append(drawn._replace(heading=f"{model}: {drawn.heading}"))
    title = f"Where the models differ most: {source} labels"
    nothing = Strip(ALIKE if len(models) > 1 else ALONE, "", [])
    how = HOW_TO_READ if strips else ""
    save_sheet(Path(f"plots/instructive/{source}.png"), title, how, strips or [nothing])


def main(params: Params) -> None:
    searched = set(read_searched(ARTIFACTS.searched).image_ids)
    images = gallery(read_manifest(), location(params.data.images))
    path_of = {image_id: path for image_id, path in images if image_id in searched}
    for source in params.label.sources:
        draw(source, params, path_of)


if __name__ == "__main__":
    run(main)
