"""Stage ``retrieve@MODEL-SOURCE``: rank the images that are searched for every query that is asked.

``python -m stages.retrieve MODEL SOURCE`` writes the first ``retrieve.depth`` images of each ranking as a TREC run, and
a table with the exact rank of every relevant image and of the best irrelevant one, from which all measures
follow.
"""

import numpy as np

from stages import run
from text2image.artifacts import ARTIFACTS
from text2image.base.console import progress
from text2image.formats.files import atomic_write
from text2image.formats.searched import read_searched
from text2image.formats.tables import write_csv
from text2image.formats.trec import read_qrels, read_queries
from text2image.params import Params
from text2image.retrieval.runs import RankRow, asked_queries, rank_queries, searched_vectors


def main(params: Params, model: str, source: str) -> None:
    qrels, searched = read_qrels(ARTIFACTS.qrels(source)), read_searched(ARTIFACTS.searched)
    vectors = np.load(ARTIFACTS.query_vectors(model, source))
    texts, vectors = asked_queries(read_queries(ARTIFACTS.queries(source)), qrels, vectors)
    images = searched_vectors(np.load(ARTIFACTS.image_vectors(model), mmap_mode="r"), searched)
    depth, threads = params.retrieve.depth, params.runtime.workers
    ranks: list[RankRow] = []
    with (
        atomic_write(ARTIFACTS.run(model, source)) as temporary,
        temporary.open("w", encoding="utf-8") as out,
        progress(total=len(texts), unit="query", title=f"retrieve {model} {source}") as bar,
    ):
        for lines, rows in rank_queries(
            model, texts, vectors, searched.image_ids, images, qrels, depth, threads
        ):
            out.writelines(lines)
            ranks.extend(rows)
            bar.update(len({row.query_id for row in rows}))
    write_csv(ARTIFACTS.ranks(model, source), RankRow._fields, ranks)


if __name__ == "__main__":
    run(main, "model", "source")
