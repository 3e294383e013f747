"""Stage ``index@MODEL``: an approximate index of one model's images; ``python -m stages.index MODEL``.

Runs for ``index.models`` only. Writes a faiss index, which other programs can serve too: row i is the i-th vector of
data/embeddings/MODEL, whose image and view are in row i of its views.csv. What a search by it would lose is measured on the queries of every source, against the exact
rankings in data/runs, which it leaves as they are.
"""

import numpy as np

from stages import run
from text2image.artifacts import ARTIFACTS
from text2image.base.console import say
from text2image.formats.files import atomic_write, write_json
from text2image.formats.searched import read_searched
from text2image.formats.trec import read_queries, read_run
from text2image.formats.views import read_image_vectors
from text2image.params import Params
from text2image.retrieval.index import Index, recall_of_index
from text2image.retrieval.runs import asked_queries, run_columns


def main(params: Params, model: str) -> None:
    kind, threads, depth = params.index.kind, params.runtime.workers, params.retrieve.depth
    gallery = read_image_vectors(ARTIFACTS.image_vectors(model), ARTIFACTS.views(model))
    say(f"index {model}: building {kind} of {len(gallery.vectors)} vectors of {gallery.n_images} images …")
    index = Index.build(kind, gallery.vectors, threads)
    with atomic_write(ARTIFACTS.index(model)) as temporary:
        index.write(temporary)
    searched = read_searched(ARTIFACTS.searched)
    there, (rows, _) = gallery.select(searched.rows), gallery.rows(searched.rows)
    figures = {}
    for source in params.label.sources:
        if not (exact := read_run(ARTIFACTS.run(model, source))):
            continue  # nothing is asked of this source
        vectors = np.load(ARTIFACTS.query_vectors(model, source))
        _, asked = asked_queries(read_queries(ARTIFACTS.queries(source)), exact, vectors)
        columns, _ = index.search(asked, there, depth, rows, threads)
        recall = recall_of_index(columns, run_columns(exact, searched.image_ids), depth)
        figures[source] = {"n_queries": len(exact), "n_images": len(searched.image_ids)} | recall
    write_json(ARTIFACTS.index_metrics(model), figures)


if __name__ == "__main__":
    run(main, "model")
