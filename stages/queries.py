"""Stage ``queries@SOURCE``: labels become queries; ``python -m stages.queries SOURCE``."""

from __future__ import annotations

from pathlib import Path

from stages import run
from text2image.base.console import InputError, say
from text2image.formats.tables import read_csv
from text2image.formats.trec import write_queries
from text2image.params import Params
from text2image.queries.query import make_queries


def main(params: Params, source: str) -> None:
    labels = Path(f"data/labels/{source}.csv")
    queries = make_queries((row["image_id"], row["text"]) for row in read_csv(labels, ["image_id", "text"]))
    if not queries:
        raise InputError(f"expected at least one query from {labels} (params key label.sources), found none")
    write_queries(Path(f"data/queries/{source}.tsv"), queries)
    say(f"queries {source}: {len(queries)} queries")


if __name__ == "__main__":
    run(main, "source")
