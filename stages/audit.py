"""Stage ``audit``: the label sources side by side, and the labels of each by how suspicious they are.

How many images each source labels, how distinct its texts are, how well they fit their images under each model
(CLIPScore), and how far two sources agree on the same image. Of every label, the signs that it is wrong, and
whether a bad search is more likely due to the label or to the model.
"""

import json
from collections.abc import Sequence

import numpy as np

from stages import run
from text2image.artifacts import ARTIFACTS
from text2image.base.console import say
from text2image.collection.manifest import read_manifest
from text2image.evaluation.labels.audit import VERDICTS, audit, find_signs
from text2image.evaluation.labels.sources import Source, chart_tables, compare_sources, label_pairs
from text2image.evaluation.results import decimals, read_ranks, write_table
from text2image.formats.files import write_json
from text2image.formats.tables import read_csv
from text2image.formats.trec import read_queries
from text2image.params import Params


def read_source(name: str, models: Sequence[str], image_ids: Sequence[str]) -> Source:
    labels = read_csv(ARTIFACTS.labels(name), ["image_id", "text"])
    return Source(
        label_pairs(labels, read_queries(ARTIFACTS.queries(name)), image_ids),
        {model: np.load(ARTIFACTS.query_vectors(model, name), mmap_mode="r") for model in models},
        [int(row["words"]) for row in read_csv(ARTIFACTS.words(name), ["words"])],
        json.loads(ARTIFACTS.label_metrics(name).read_text(encoding="utf-8")),
    )


def main(params: Params) -> None:
    models = params.embed.models
    image_ids = list(dict.fromkeys(entry.image_id for entry in read_manifest(ARTIFACTS.manifest)))
    images = {model: np.load(ARTIFACTS.image_vectors(model), mmap_mode="r") for model in models}
    sources = {name: read_source(name, models, image_ids) for name in params.label.sources}
    figures = compare_sources(sources, images)
    write_json(ARTIFACTS.metrics("labels"), figures)
    for name, table in chart_tables(figures, sources).items():
        write_table(ARTIFACTS.plot(name), table)
    for name, (pairs, texts, _, _) in sources.items():
        signs = [
            find_signs(pairs, images[model], texts[model], read_ranks(ARTIFACTS.ranks(model, name)))
            for model in models
        ]
        table = audit(pairs, signs, len(image_ids))
        write_table(ARTIFACTS.audit(name), decimals(table, 4))
        label, model, unclear = (int((table["speaks_against"] == word).sum()) for word in VERDICTS)
        say(
            f"audit {name}: of {len(table)} labels {label} are unlikely, {model} are not understood by most models, "
            f"{unclear} are one or the other"
        )


if __name__ == "__main__":
    run(main)
