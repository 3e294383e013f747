"""Stage ``compare_labels``: the label sources side by side, in metrics/labels.json.

How many images each source labels, how distinct its texts are, how well they fit their images under
each model (CLIPScore), and how far two sources agree on the same image.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from stages import run
from text2image.artifacts import ARTIFACTS
from text2image.collection.manifest import read_gallery
from text2image.evaluation.sources import agreement, clip_scores, histogram, shared_share
from text2image.formats.files import write_json
from text2image.formats.tables import read_csv, write_csv
from text2image.formats.texts import query_id
from text2image.formats.trec import read_queries
from text2image.params import Params

Floats = npt.NDArray[np.float32]

MOST_WORDS = 40


class Source(NamedTuple):
    """The labels of one source.

    Attributes:
        rows_of_image: ``{image_id: rows of its texts in the query file}``.
        words: words per image, 0 for images without any.
        figures: metrics/labels/SOURCE.json.
    """

    rows_of_image: dict[str, list[int]]
    words: list[int]
    figures: dict[str, Any]


def read_source(name: str) -> Source:
    """Read the labels, queries and figures of a source."""
    row_of = {query: row for row, query in enumerate(read_queries(Path(f"data/queries/{name}.tsv")))}
    rows_of_image: dict[str, list[int]] = defaultdict(list)
    for label in read_csv(Path(f"data/labels/{name}.csv"), ["image_id", "text"]):
        row = row_of.get(query_id(label["text"]))
        if row is not None and row not in rows_of_image[label["image_id"]]:
            rows_of_image[label["image_id"]].append(row)
    words = [int(row["words"]) for row in read_csv(Path(f"data/labels/{name}_words.csv"), ["words"])]
    figures = json.loads(Path(f"metrics/labels/{name}.json").read_text(encoding="utf-8"))
    return Source(dict(rows_of_image), words, figures)


def fit(source: Source, texts: Floats, images: Floats, column_of: dict[str, int]) -> float:
    """Return the mean CLIPScore of a source's labels under one model."""
    pairs = [(column_of[image], row) for image, rows in source.rows_of_image.items() for row in rows]
    columns, rows = np.array(pairs).T
    return float(clip_scores(images[columns], texts[rows]).mean())


def summary(source: Source, clip_score: dict[str, float]) -> dict[str, Any]:
    """Return what metrics/labels.json says of one source."""
    images_by_row: dict[str, list[str]] = defaultdict(list)
    for image, rows in source.rows_of_image.items():
        for row in rows:
            images_by_row[str(row)].append(image)
    figures = source.figures
    return {
        "images": figures["images"],
        "coverage": figures["labelled_images"] / figures["images"],
        "pairs": figures["pairs"],
        "unique_texts": figures["unique_texts"],
        "shared_text_share": shared_share(images_by_row),
        "mean_words": figures["mean_words"],
        "clip_score": clip_score,
    }


def agreements(sources: dict[str, Source], texts: dict[str, Floats]) -> dict[str, dict[str, Any]]:
    """Return how far each pair of sources agrees under one model's text tower."""
    table = {}
    for a, b in combinations(sources, 2):
        images, similarity, by_chance = agreement(
            sources[a].rows_of_image, sources[b].rows_of_image, texts[a], texts[b]
        )
        table[f"{a} ~ {b}"] = {"images": images, "similarity": similarity, "different_images": by_chance}
    return table


def write_plots(
    sources: dict[str, Source], summaries: dict[str, Any], agreed: dict[str, dict[str, dict[str, Any]]]
) -> None:
    """Write what the charts of labels draw."""
    coverage = [(name, row["coverage"], row["shared_text_share"]) for name, row in summaries.items()]
    write_csv(Path("plots/label_coverage.csv"), ("source", "coverage", "shared_text_share"), coverage)
    words = [
        (name, value, f"{count / len(source.words):.6f}")
        for name, source in sources.items()
        for value, count in histogram(source.words, MOST_WORDS)
    ]
    write_csv(Path("plots/words.csv"), ("source", "words", "share"), words)
    rows = [
        (model, pair, kind, f"{row[key]:.6f}")
        for model, pairs in agreed.items()
        for pair, row in pairs.items()
        for key, kind in (("similarity", "same image"), ("different_images", "different images"))
        if row[key] is not None
    ]
    write_csv(Path("plots/label_agreement.csv"), ("model", "sources", "texts_of", "similarity"), rows)


def load_embeddings(models: Sequence[str], names: Sequence[str]) -> dict[str, dict[str, Floats]]:
    """Return ``{model: {source or "images": unit rows}}``, read as they are needed."""
    folder = Path("data/embeddings")
    return {
        model: {name: np.load(folder / model / f"{name}.npy", mmap_mode="r") for name in (*names, "images")}
        for model in models
    }


def main(params: Params) -> None:
    names, models = params.label.sources, params.embed.models
    sources = {name: read_source(name) for name in names}
    images = read_gallery(ARTIFACTS.manifest, params.data.images)
    column_of = {image.image_id: column for column, image in enumerate(images)}
    vectors = load_embeddings(models, names)
    summaries = {
        name: summary(
            source,
            {
                model: fit(source, vectors[model][name], vectors[model]["images"], column_of)
                for model in models
            },
        )
        for name, source in sources.items()
    }
    agreed = {model: agreements(sources, vectors[model]) for model in models}
    write_plots(sources, summaries, agreed)
    write_json(Path("metrics/labels.json"), {"sources": summaries, "agreement": agreed})


if __name__ == "__main__":
    run(main)
