"""Stage ``audit``: the label sources side by side, and the labels of each by how suspicious they are.

metrics/labels.json says how many images each source labels, how distinct its texts are, how well they fit their images under
each model (CLIPScore), and how far two sources agree on the same image. data/audit/SOURCE.csv lists every
label, the most suspicious first, with its signs and whether a bad search is more likely due to the label or to
the model.
"""

from __future__ import annotations

import json

import numpy as np

from stages import run
from text2image.artifacts import ARTIFACTS
from text2image.base.console import say
from text2image.collection.manifest import read_manifest
from text2image.evaluation.labels import audit, sources
from text2image.evaluation.results import decimals, read_ranks, write_table
from text2image.formats.files import write_json
from text2image.formats.tables import read_csv
from text2image.formats.trec import read_queries
from text2image.params import Params


def main(params: Params) -> None:
    names, models = params.label.sources, params.embed.models
    image_ids = list(dict.fromkeys(entry.image_id for entry in read_manifest(ARTIFACTS.manifest)))
    labels = {name: read_csv(ARTIFACTS.labels(name), ["image_id", "text"]) for name in names}
    queries = {name: read_queries(ARTIFACTS.queries(name)) for name in names}
    vectors = {
        model: {name: np.load(ARTIFACTS.query_vectors(model, name), mmap_mode="r") for name in names}
        | {"images": np.load(ARTIFACTS.image_vectors(model), mmap_mode="r")}
        for model in models
    }
    texts = {
        name: sources.SourceTexts(
            sources.rows_of_images(labels[name], queries[name]),
            [int(row["words"]) for row in read_csv(ARTIFACTS.words(name), ["words"])],
            json.loads(ARTIFACTS.label_metrics(name).read_text(encoding="utf-8")),
        )
        for name in names
    }
    figures = sources.compare_sources(texts, vectors, image_ids)
    write_json(ARTIFACTS.metrics("labels"), figures)
    write_table(ARTIFACTS.plot("label_coverage"), sources.coverage_table(figures))
    write_table(ARTIFACTS.plot("words"), sources.words_table(texts))
    write_table(ARTIFACTS.plot("label_agreement"), sources.similarity_table(figures))
    for name in names:
        pairs, query_ids = audit.label_pairs(labels[name], queries[name], image_ids), list(queries[name])
        signs = [
            audit.find_signs(
                pairs, of["images"], of[name], read_ranks(ARTIFACTS.ranks(model, name)), query_ids
            )
            for model, of in vectors.items()
        ]
        table = audit.audit(pairs, signs, image_ids, len(query_ids))
        write_table(ARTIFACTS.audit(name), decimals(table, 4))
        label, model, unclear = (int((table["speaks_against"] == word).sum()) for word in audit.VERDICTS)
        say(
            f"audit {name}: of {len(table)} labels {label} are unlikely, {model} are not understood by most models, "
            f"{unclear} are one or the other"
        )


if __name__ == "__main__":
    run(main)
