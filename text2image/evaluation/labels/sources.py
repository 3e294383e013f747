"""Label sources side by side: how much they cover, how well texts fit their images, how alike two sources' texts are."""

from collections.abc import Iterable, Mapping, Sequence
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


class Source(NamedTuple):
    """What one source says of the images.

    Attributes:
        pairs: its labels, from :func:`label_pairs`.
        texts: by model, the unit rows of its query file.
        words: words per image, 0 for images without any.
        figures: metrics/labels/SOURCE.json.
    """

    pairs: pd.DataFrame
    texts: Mapping[str, Vectors]
    words: Sequence[int]
    figures: Mapping[str, Any]


def label_pairs(labels: Sequence[Row], query_ids: Iterable[str], image_ids: Sequence[str]) -> pd.DataFrame:
    """Return the labels of one source, a row each, sorted by image and text.

    Args:
        labels: rows of data/labels/SOURCE.csv.
        query_ids: in the order of the query file.
        image_ids: of the gallery.

    Returns:
        The columns ``image_id``, ``text`` (as labelled), ``query_id``, ``column`` (of the gallery), and ``row``
        (of the query file).
    """
    pairs = pd.DataFrame({name: [label[name] for label in labels] for name in ("image_id", "text")})
    pairs["query_id"] = pairs["text"].map(query_id)
    pairs["column"] = pairs["image_id"].map({image: column for column, image in enumerate(image_ids)})
    pairs["row"] = pairs["query_id"].map({query: row for row, query in enumerate(query_ids)})
    pairs = pairs.astype({"column": "int64", "row": "int64"})  # which they are not without a label
    return pairs.sort_values(["column", "row", "text"], ignore_index=True)


def compare_sources(sources: Mapping[str, Source], images: Mapping[str, Vectors]) -> dict[str, Any]:
    """Return metrics/labels.json: every source, and how far each pair of sources agrees.

    Args:
        sources: by name.
        images: by model, the unit rows of the gallery.
    """
    rows = {name: dict(one.pairs.groupby("image_id")["row"].unique()) for name, one in sources.items()}
    texts = {model: {name: one.texts[model] for name, one in sources.items()} for model in images}
    return {
        "sources": {name: summarise_source(source, images) for name, source in sources.items()},
        "agreement": {model: similarities(rows, texts[model]) for model in images},
    }


def summarise_source(source: Source, images: Mapping[str, Vectors]) -> dict[str, Any]:
    """Return the figures of one source, with its mean CLIPScore under each model.

    ``shared_text_share`` is the share of its texts that several images carry. Both are None for a source without labels.
    """
    figures, pairs = source.figures, source.pairs.drop_duplicates(["column", "row"])
    columns, rows = pairs["column"].to_numpy(), pairs["row"].to_numpy()
    return {
        "images": figures["images"],
        "coverage": figures["labelled_images"] / figures["images"],
        "pairs": figures["pairs"],
        "unique_texts": figures["unique_texts"],
        "shared_text_share": float((pairs["row"].value_counts() > 1).mean()) if len(pairs) else None,
        "mean_words": figures["mean_words"],
        "clip_score": {
            model: float(clip_scores(vectors[columns], source.texts[model][rows]).mean())
            if len(pairs)
            else None
            for model, vectors in images.items()
        },
    }


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


def similarities(
    rows: Mapping[str, Mapping[str, Sequence[int]]], texts: Mapping[str, Vectors]
) -> dict[str, dict[str, Any]]:
    """Return :func:`text_similarity` of each pair of sources under one model's text tower.

    Args:
        rows: by source, ``{image_id: rows of its texts}``.
        texts: by source, the unit rows of its query file.
    """
    return {
        f"{a} ~ {b}": text_similarity(rows[a], rows[b], texts[a], texts[b]) for a, b in combinations(rows, 2)
    }


def text_similarity(
    first: Mapping[str, Sequence[int]],
    second: Mapping[str, Sequence[int]],
    first_texts: Vectors,
    second_texts: Vectors,
) -> dict[str, Any]:
    """Return how alike two sources' texts for the same image are.

    Args:
        first, second: ``{image_id: rows of its texts}``.
        first_texts, second_texts: ``(n_texts, dim)`` float32 unit rows of one text tower.

    Returns:
        ``images``, the number of images that both label; ``similarity``, the mean over them of the cosine
        similarity of the two most similar texts; and ``different_images``, the same for texts of different images
        (each image's with the next one's), which tells what similarity means nothing. None without two images.
    """

    def closest(images: Sequence[str], others: Sequence[str]) -> float | None:
        pairs = ((list(first[a]), list(second[b])) for a, b in zip(images, others, strict=True))
        similarity = [(first_texts[left] @ second_texts[right].T).max() for left, right in pairs]
        return float(np.mean(similarity, dtype=np.float64)) if len(images) > 1 else None

    both = sorted(first.keys() & second.keys())
    by_chance = closest(both, both[1:] + both[:1])
    return {"images": len(both), "similarity": closest(both, both), "different_images": by_chance}


def chart_tables(figures: Mapping[str, Any], sources: Mapping[str, Source]) -> dict[str, pd.DataFrame]:
    """Return the tables of the charts by name, from metrics/labels.json and the sources."""
    return {
        "label_coverage": coverage_table(figures),
        "words": words_table(sources),
        "label_agreement": similarity_table(figures),
    }


def coverage_table(figures: Mapping[str, Any]) -> pd.DataFrame:
    """Return how much of the images each source labels, and how many of its texts several images share."""
    columns = ["coverage", "shared_text_share"]
    rows = [{"source": name} | {c: row[c] for c in columns} for name, row in figures["sources"].items()]
    return pd.DataFrame(rows)


def words_table(sources: Mapping[str, Source]) -> pd.DataFrame:
    """Return the share of images of each source with so many words; more than ``MOST_WORDS`` count as so many."""
    shares = {
        name: np.bincount(np.minimum(source.words, MOST_WORDS), minlength=MOST_WORDS + 1) / len(source.words)
        for name, source in sources.items()
    }
    rows = [(name, words, share) for name, of in shares.items() for words, share in enumerate(of)]
    return pd.DataFrame(rows, columns=["source", "words", "share"]).pipe(decimals)


def similarity_table(figures: Mapping[str, Any]) -> pd.DataFrame:
    """Return how alike the texts of two sources are; pairs of sources without two images are left out."""
    rows = [
        (model, pair, kind, row[key])
        for model, pairs in figures["agreement"].items()
        for pair, row in pairs.items()
        for key, kind in (("similarity", "same image"), ("different_images", "different images"))
        if row[key] is not None
    ]
    columns = ["model", "sources", "texts_of", "similarity"]
    return pd.DataFrame(rows, columns=columns).astype({"similarity": "float64"}).pipe(decimals)
