"""Label sources side by side: how much they cover, how well texts fit their images, how alike two sources' texts are."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from text2image.base.arrays import Floats, Vectors
from text2image.evaluation.results import decimals
from text2image.formats.tables import Row
from text2image.formats.texts import query_id

CLIP_SCORE_WEIGHT = 2.5
MOST_WORDS = 40


class SourceTexts(NamedTuple):
    """What one source says of the images.

    Attributes:
        rows_of_image: ``{image_id: rows of its texts in the query file}``.
        words: words per image, 0 for images without any.
        figures: metrics/labels/SOURCE.json.
    """

    rows_of_image: dict[str, list[int]]
    words: list[int]
    figures: dict[str, Any]


def rows_of_images(labels: Sequence[Row], queries: Mapping[str, str]) -> dict[str, list[int]]:
    """Return ``{image_id: rows of its texts in the query file}``, each once.

    Args:
        labels: rows of data/labels/SOURCE.csv.
        queries: ``{query_id: text}`` in the order of the query file.
    """
    row_of = {query: row for row, query in enumerate(queries)}
    rows_of_image: dict[str, list[int]] = defaultdict(list)
    for label in labels:
        row = row_of.get(query_id(label["text"]))
        if row is not None and row not in rows_of_image[label["image_id"]]:
            rows_of_image[label["image_id"]].append(row)
    return dict(rows_of_image)


def compare_sources(
    sources: Mapping[str, SourceTexts], vectors: Mapping[str, Mapping[str, Vectors]], image_ids: Sequence[str]
) -> dict[str, Any]:
    """Return metrics/labels.json: every source, and how far each pair of sources agrees.

    Args:
        sources: by name.
        vectors: ``{model: {source or "images": unit rows}}``.
        image_ids: of the gallery, the rows of ``images``.
    """
    column_of = {image_id: column for column, image_id in enumerate(image_ids)}
    summaries = {
        name: summarise_source(
            source,
            {model: fit(source, of[name], of["images"], column_of) for model, of in vectors.items()},
        )
        for name, source in sources.items()
    }
    return {
        "sources": summaries,
        "agreement": {model: similarities(sources, of) for model, of in vectors.items()},
    }


def fit(source: SourceTexts, texts: Vectors, images: Vectors, column_of: Mapping[str, int]) -> float:
    """Return the mean CLIPScore of a source's labels under one model."""
    pairs = [(column_of[image], row) for image, rows in source.rows_of_image.items() for row in rows]
    columns, rows = np.array(pairs).T
    return float(clip_scores(images[columns], texts[rows]).mean())


def clip_scores(images: Vectors, texts: Vectors) -> Floats:
    """Return the CLIPScore of each pair of rows: ``2.5 max(cosine, 0)``, in [0, 2.5].

    Scores of different models are on different scales: compare sources under one model.

    Source: Hessel et al., CLIPScore: A Reference-free Evaluation Metric for Image Captioning, 2021.

    Args:
        images, texts: ``(n, dim)`` float32 unit rows.
    """
    cosines = np.einsum("nd,nd->n", images, texts, dtype=np.float64)
    scores: Floats = CLIP_SCORE_WEIGHT * np.maximum(cosines, 0.0)
    return scores


def summarise_source(source: SourceTexts, clip_score: Mapping[str, float]) -> dict[str, Any]:
    """Return the figures of one source; ``clip_score`` is its fit to the images under each model."""
    images_by_row: dict[int, list[str]] = defaultdict(list)
    for image, rows in source.rows_of_image.items():
        for row in rows:
            images_by_row[row].append(image)
    figures = source.figures
    return {
        "images": figures["images"],
        "coverage": figures["labelled_images"] / figures["images"],
        "pairs": figures["pairs"],
        "unique_texts": figures["unique_texts"],
        "shared_text_share": shared_share(images_by_row),
        "mean_words": figures["mean_words"],
        "clip_score": dict(clip_score),
    }


def shared_share(images_by_text: Mapping[Any, Sequence[str]]) -> float:
    """Return the share of texts that several images carry, in [0, 1]; 0 for no texts."""
    shared = sum(len(set(images)) > 1 for images in images_by_text.values())
    return shared / len(images_by_text) if images_by_text else 0.0


def similarities(
    sources: Mapping[str, SourceTexts], texts: Mapping[str, Vectors]
) -> dict[str, dict[str, Any]]:
    """Return :func:`text_similarity` of each pair of sources under one model's text tower."""
    table = {}
    for a, b in combinations(sources, 2):
        images, similarity, by_chance = text_similarity(
            sources[a].rows_of_image, sources[b].rows_of_image, texts[a], texts[b]
        )
        table[f"{a} ~ {b}"] = {"images": images, "similarity": similarity, "different_images": by_chance}
    return table


def text_similarity(
    first: Mapping[str, Sequence[int]],
    second: Mapping[str, Sequence[int]],
    first_texts: Vectors,
    second_texts: Vectors,
) -> tuple[int, float | None, float | None]:
    """Return how alike two sources' texts for the same image are.

    Args:
        first, second: ``{image_id: rows of its texts}``.
        first_texts, second_texts: ``(n_texts, dim)`` float32 unit rows of one text tower.

    Returns:
        The number of images that both label; the mean over them of the cosine similarity of the two
        most similar texts; and the same for texts of different images (each image's with the next
        one's), which tells what similarity means nothing. None without two such images.
    """

    def closest(left: Sequence[int], right: Sequence[int]) -> float:
        return float((first_texts[list(left)] @ second_texts[list(right)].T).max())

    both = sorted(first.keys() & second.keys())
    if len(both) < 2:
        return len(both), None, None
    same = [closest(first[image], second[image]) for image in both]
    apart = [
        closest(first[image], second[other]) for image, other in zip(both, both[1:] + both[:1], strict=True)
    ]
    return len(both), float(np.mean(same)), float(np.mean(apart))


def coverage_table(figures: Mapping[str, Any]) -> pd.DataFrame:
    """Return what the chart of coverage draws, from metrics/labels.json."""
    columns = ["coverage", "shared_text_share"]
    rows = [{"source": name} | {c: row[c] for c in columns} for name, row in figures["sources"].items()]
    return pd.DataFrame(rows)


def words_table(sources: Mapping[str, SourceTexts]) -> pd.DataFrame:
    """Return the share of images of each source with so many words."""
    rows = [
        (name, value, count / len(source.words))
        for name, source in sources.items()
        for value, count in histogram(source.words, MOST_WORDS)
    ]
    return pd.DataFrame(rows, columns=["source", "words", "share"]).pipe(decimals)


def similarity_table(figures: Mapping[str, Any]) -> pd.DataFrame:
    """Return what the chart of agreement draws, from metrics/labels.json; pairs without two images are left out."""
    rows = [
        (model, pair, kind, row[key])
        for model, pairs in figures["agreement"].items()
        for pair, row in pairs.items()
        for key, kind in (("similarity", "same image"), ("different_images", "different images"))
        if row[key] is not None
    ]
    columns = ["model", "sources", "texts_of", "similarity"]
    return pd.DataFrame(rows, columns=columns).astype({"similarity": "float64"}).pipe(decimals)


def histogram(counts: Sequence[int], largest: int) -> list[tuple[int, int]]:
    """Return ``(value, how often)`` for 0 … ``largest``; larger values count as ``largest``."""
    often = Counter(min(count, largest) for count in counts)
    return [(value, often[value]) for value in range(largest + 1)]
