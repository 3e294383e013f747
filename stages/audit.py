"""Stage ``audit``: the label sources side by side, and the labels of each by how suspicious they are.

How many images each source labels, how distinct its texts are, how well they fit their images under each model
(CLIPScore), and how far two sources agree on the same image. Of every label, the signs that it is wrong, and
whether another image, or none, fits its text. Models are asked what they see, and systems whether they find the image.
"""

import json
from collections.abc import Sequence

import numpy as np
import pandas as pd

from stages import run
from text2image.artifacts import ARTIFACTS, existing
from text2image.base.arrays import Vectors
from text2image.base.console import say
from text2image.collection.manifest import read_manifest
from text2image.evaluation.labels.audit import FINDINGS, audit, find_signs, found_ranks, witnesses
from text2image.evaluation.labels.sources import Source, chart_tables, compare_sources, label_pairs
from text2image.evaluation.results import decimals, read_ranks, write_table
from text2image.formats.files import write_json
from text2image.formats.origins import circular_pairs, read_origins
from text2image.formats.searched import read_searched
from text2image.formats.tables import WHOLE_NUMBER, read_csv
from text2image.formats.trec import read_qrels, read_queries
from text2image.formats.views import ImageVectors, read_image_vectors
from text2image.params import Params
from text2image.retrieval.gallery import rank_gallery
from text2image.retrieval.runs import RankRow, asked_queries, rank_queries, relevant_pairs


def read_source(name: str, models: Sequence[str], image_ids: Sequence[str]) -> Source:
    labels = read_csv(ARTIFACTS.labels(name), ["image_id", "text"])
    return Source(
        label_pairs(labels, read_queries(ARTIFACTS.queries(name)), image_ids),
        {model: np.load(ARTIFACTS.query_vectors(model, name), mmap_mode="r") for model in models},
        [
            int(row["words"])
            for row in read_csv(ARTIFACTS.words(name), ["words"], numbers={"words": WHOLE_NUMBER})
        ],
        json.loads(ARTIFACTS.label_metrics(name).read_text(encoding="utf-8")),
    )


def asked_ranks(source: str, texts: Vectors, images: ImageVectors) -> pd.DataFrame:
    """Return how one model ranks the images that are searched for the queries of a source that are asked.

    The rows are those of data/ranks, as :func:`text2image.evaluation.results.read_ranks` reads them.
    """
    qrels, searched = read_qrels(ARTIFACTS.qrels(source)), read_searched(ARTIFACTS.searched)
    asked, vectors = asked_queries(read_queries(ARTIFACTS.queries(source)), qrels, texts)
    rows: list[RankRow] = []
    if asked:
        pairs = relevant_pairs(asked, searched.image_ids, qrels)
        there = images.select(searched.rows)
        rankings = rank_gallery(vectors, there.vectors, pairs.rows, pairs.columns, 1, starts=there.starts)
        blocks = rank_queries(source, asked, searched.image_ids, pairs, rankings)
        rows = [row for _, of_block in blocks for row in of_block]
    return pd.DataFrame(rows, columns=list(RankRow._fields)).astype({"score": "float64"})


def main(params: Params) -> None:
    models = params.embed.models
    image_ids = list(dict.fromkeys(entry.image_id for entry in read_manifest(ARTIFACTS.manifest)))
    images = {
        model: read_image_vectors(ARTIFACTS.image_vectors(model), ARTIFACTS.views(model), image_ids)
        for model in models
    }
    sources = {name: read_source(name, models, image_ids) for name in params.label.sources}
    figures = compare_sources(sources, {model: views.first() for model, views in images.items()})
    write_json(ARTIFACTS.metrics("labels"), figures)
    for name, table in chart_tables(figures, sources).items():
        write_table(ARTIFACTS.plot(name), table)
    abouts = {
        **{system: ARTIFACTS.system(system) for system in params.retrieve.systems},
        **{model: ARTIFACTS.card(model) for model in models},
    }
    circular = circular_pairs(
        {name: json.loads(path.read_text("utf-8"))["origins"] for name, path in abouts.items()},
        {name: read_origins(existing(ARTIFACTS.origins(name))) for name in sources},
    )
    for name, (pairs, texts, _, _) in sources.items():
        chosen, remark = witnesses(models, name, circular)
        tested = [system for system in params.retrieve.systems if (system, name) not in circular]
        found = found_ranks(pairs, [read_ranks(ARTIFACTS.ranks(system, name)) for system in tested])
        signs = [
            find_signs(
                pairs, images[model], texts[model], asked_ranks(name, texts[model], images[model]), found
            )
            for model in chosen
        ]
        table = audit(pairs, signs, len(image_ids))
        write_table(ARTIFACTS.audit(name), decimals(table, 4))
        other, none, differ = (int((table["finding"] == word).sum()) for word in FINDINGS)
        say(
            f"audit {name}: {len(table)} labels, the most suspicious first; of those whose image is not found, {other} have "
            f"a text that another image fits, {none} one that no image fits, and over {differ} the models differ"
            f"{f' ({remark})' if remark else ''}"
        )


if __name__ == "__main__":
    run(main)
