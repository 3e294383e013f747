"""Stage ``examples_instructive@SOURCE``: the queries on which the models differ most.

``python -m stages.examples_instructive SOURCE`` draws, for each of them, what the best model found above
what the worst one found.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from stages.examples import HOW_TO_READ, strip
from stages.io.console import run
from stages.io.manifest import gallery, read_manifest
from stages.io.params import load_params
from stages.io.sheets import Strip, save_sheet
from stages.io.tables import Row, read_csv, read_qrels, read_run

ALONE = "One model only: list another under embed.models to see where they differ"
ALIKE = "The models put the first relevant image at the same rank for every query"


class Split(NamedTuple):
    """A query that models answer unlike: the models that rank its first relevant image best and worst."""

    text: str
    best: tuple[str, Row]
    worst: tuple[str, Row]

    @property
    def spread(self) -> float:
        """The difference of the two reciprocal ranks, in [0, 1)."""
        return 1.0 / int(self.best[1]["best_rank"]) - 1.0 / int(self.worst[1]["best_rank"])


def most_instructive(results: Mapping[str, Sequence[Row]], n: int) -> list[Split]:
    """Return the ``n`` queries with the largest spread of reciprocal ranks over the models.

    Args:
        results: the rows of data/results/MODEL/SOURCE.csv by model, the same queries in each. Of models
            that rank alike the first counts.
    """
    splits = []
    for rows in zip(*results.values(), strict=True):
        answers = sorted(zip(results, rows, strict=True), key=lambda answer: int(answer[1]["best_rank"]))
        splits.append(Split(rows[0]["text"], answers[0], answers[-1]))
    splits.sort(key=lambda split: (-split.spread, split.text))
    return [split for split in splits if split.spread > 0][:n]


def main() -> None:
    source = sys.argv[1]
    params = load_params()
    models = params.embed.models
    path_of = dict(gallery(read_manifest(), Path(params.data.images)))
    qrels = read_qrels(Path(f"data/qrels/{source}.qrels"))
    results = {m: read_csv(Path(f"data/results/{m}/{source}.csv"), ["text", "best_rank"]) for m in models}
    splits = most_instructive(results, params.examples.instructive)
    shown = {model for split in splits for model in (split.best[0], split.worst[0])}
    runs = {model: read_run(Path(f"data/runs/{model}/{source}.run")) for model in shown}

    def strips(split: Split) -> Iterator[Strip]:
        for model, result in (split.best, split.worst):
            query = result["query_id"]
            drawn = strip(result, runs[model][query], qrels[query], path_of)
            yield drawn._replace(heading=f"{model}: {drawn.heading}")

    title = f"Where the models differ most: {source} labels"
    rows = [drawn for split in splits for drawn in strips(split)]
    nothing = Strip(ALIKE if len(models) > 1 else ALONE, "", [])
    save_sheet(Path(f"plots/instructive/{source}.png"), title, HOW_TO_READ if rows else "", rows or [nothing])


if __name__ == "__main__":
    run(main)
