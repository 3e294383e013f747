"""Suspicious labels: signs that a text does not belong to its image, put together without a threshold.

Four signs, each larger the more suspicious, each independent of the scale of a model's scores:

- the image ranks far down for its text, and no system in use finds it, such as one that reads the words on images;
- the text ranks far down, among the texts of its source, for its image;
- the text is unlike the image's other texts of the same source;
- the image is unlike the other images that carry the text.

Each becomes a percentile over the labels, which makes them comparable; a label's suspicion is the mean
of those that it has. The signs come from confident-learning practice (Northcutt et al., Confident
Learning, 2021): labels that good models contradict are wrong more often than labels at random.

Beside the ranking stands what the models find, :func:`findings`. It is no verdict: a wrong label and a text that a
model does not understand look the same from here, so nobody is blamed (``python -m benchmarks.audit`` measures this).
"""

from collections import defaultdict
from collections.abc import Container, Mapping, Sequence

import numpy as np
import pandas as pd

from text2image.base.arrays import Floats, Integers, Vectors
from text2image.formats.views import ImageVectors
from text2image.retrieval.gallery import rank_gallery

FOUND = 10
"""A relevant image at this rank or better counts as found."""

SIGNS = ("image_rank", "text_rank", "text_alike", "image_alike")
OTHER_FITS, NONE_FITS, MODELS_DIFFER = FINDINGS = ("other_image_fits", "no_image_fits", "models_differ")
"""What is found of a label whose image is not among the first ``FOUND``; "" where it is."""


def witnesses(
    models: Sequence[str], source: str, circular: Container[tuple[str, str]]
) -> tuple[list[str], str]:
    """Return the models by which to look for wrong labels of a source, and what people have to know of the choice.

    A model that goes back to what wrote the labels finds its own errors right, and is asked only where there is no other.

    >>> witnesses(["a", "b"], "s", {("a", "s")})
    (['b'], 'without a, which goes back to what wrote these labels')
    >>> witnesses(["a"], "s", {("a", "s")})
    (['a'], 'a goes back to what wrote these labels, and so finds few of their errors')
    >>> witnesses(["a"], "s", {})
    (['a'], '')
    """
    partial = [model for model in models if (model, source) in circular]
    independent = [model for model in models if model not in partial]
    names, many = " and ".join(partial), len(partial) > 1
    if not partial:
        return independent, ""
    goes, finds = ("go", "find") if many else ("goes", "finds")
    if independent:
        return independent, f"without {names}, which {goes} back to what wrote these labels"
    return partial, f"{names} {goes} back to what wrote these labels, and so {finds} few of their errors"


def found_ranks(pairs: pd.DataFrame, ranks: Sequence[pd.DataFrame]) -> Floats:
    """Return the best rank that any system gives each label's image for its text, where that is ``FOUND`` or better.

    Which system finds an image does not matter: a model that cannot read would call every headline a wrong label. One that
    does not find it is no witness against the label, since no text is there to be found in most pictures of a product.

    Args:
        pairs: the labels.
        ranks: of each system on their source (:func:`text2image.evaluation.results.read_ranks`).

    Returns:
        ``(n_labels,)`` float64, NaN where no system finds the image, or the text is not asked.
    """
    every = pd.concat([one[["query_id", "image_id", "rank"]] for one in ranks]) if ranks else pd.DataFrame()
    if every.empty:
        return np.full(len(pairs), np.nan)
    best = every[every["rank"] <= FOUND].groupby(["query_id", "image_id"])["rank"].min()
    keys = pd.MultiIndex.from_frame(pairs[["query_id", "image_id"]])
    found: Floats = best.reindex(keys).to_numpy(dtype=np.float64)
    return found


def find_signs(
    pairs: pd.DataFrame,
    images: ImageVectors,
    texts: Vectors,
    ranks: pd.DataFrame,
    found: Floats | None = None,
) -> pd.DataFrame:
    """Return what one model says of each label of one source.

    Args:
        pairs: the labels, from :func:`text2image.evaluation.labels.sources.label_pairs`.
        images: the gallery; where the model sees several views of an image, the best counts for the image's rank, as in
            ``ranks``, and the whole for the other signs.
        texts: unit rows of the source's query file.
        ranks: of the model on the source (:func:`text2image.evaluation.results.read_ranks`).
        found: from :func:`found_ranks`: the rank of an image that some system finds is at most that. None: no system
            is asked.

    Returns:
        A row a label: the columns ``SIGNS``, NaN where there is no such sign, and ``finding`` from :func:`findings`.
    """
    rows, columns = pairs["row"].to_numpy(), pairs["column"].to_numpy()
    image_rank, whole = pair_ranks(texts, images.vectors, rows, columns, images.starts), images.first()
    if found is not None:
        image_rank = np.fmin(image_rank, found).astype(np.int64)
    first = ranks[(ranks["relevance"] > 0) & (ranks["rank"] == 1)]["score"]
    irrelevant = ranks[ranks["relevance"] == 0].set_index("query_id")["score"]
    best_irrelevant = irrelevant.reindex(pairs["query_id"]).fillna(-1.0).to_numpy()
    typical = float(first.median()) if len(first) else np.inf
    return pd.DataFrame(
        {
            "image_rank": image_rank,
            "text_rank": pair_ranks(whole, texts, columns, rows),
            "text_alike": best_alike(texts, rows, columns),
            "image_alike": best_alike(whole, columns, rows),
            "finding": findings(image_rank, best_irrelevant, typical),
        }
    )


def audit(pairs: pd.DataFrame, by_model: Sequence[pd.DataFrame], n_images: int) -> pd.DataFrame:
    """Return every label with its suspicion, the most suspicious first, as data/audit/SOURCE.csv has them.

    Args:
        pairs: the labels.
        by_model: :func:`find_signs` of each model; the signs in the table are means over models.
        n_images: the size of the gallery.
    """
    means = sum(signs[list(SIGNS)] for signs in by_model) / len(by_model)
    found, n_texts = zip(*(signs["finding"] for signs in by_model), strict=True), pairs["row"].nunique()
    table = pairs[["image_id", "text"]].assign(
        suspicion=suspicion([sign for signs in by_model for sign in suspicious(signs)]),
        finding=[majority(words) for words in found],
        why=[explain(row, n_images, n_texts) for row in means.to_dict("records")],
    )
    return table.join(means).sort_values(["suspicion", "image_id", "text"], ascending=[False, True, True])


def suspicious(signs: pd.DataFrame) -> list[pd.Series]:
    """Return the signs of one model, each larger the more suspicious."""
    ranks = [np.log(signs[name]) for name in ("image_rank", "text_rank")]
    return [*ranks, -signs["text_alike"], -signs["image_alike"]]


def pair_ranks(
    left: Vectors, right: Vectors, rows: Integers, columns: Integers, starts: Integers | None = None
) -> Integers:
    """Return the rank of ``right[columns[i]]`` among all of ``right`` for ``left[rows[i]]``.

    Args:
        left, right: ``(n, dim)`` and ``(m, dim)`` float32 unit rows.
        rows, columns: ``(n_pairs,)`` integers.
        starts: where the rows of each item of ``right`` begin, if it has several.

    Returns:
        ``(n_pairs,)`` int64 in [1, m], by the tie rule of :func:`text2image.retrieval.ranking.ranks`.
    """
    if not len(rows):
        return np.empty(0, dtype=np.int64)
    order = np.lexsort((columns, rows))
    asked, places = np.unique(rows[order], return_inverse=True)
    parts = rank_gallery(left[asked], right, places, columns[order], 1, starts=starts)
    ranks = np.empty(len(rows), dtype=np.int64)
    ranks[order] = np.concatenate([ranks[:0], *(part.pair_ranks for part in parts)])
    return ranks


def best_alike(vectors: Vectors, items: Integers, keys: Integers) -> Floats:
    """Return how alike each item is to the most similar *other* item of its key.

    Args:
        vectors: ``(n_vectors, dim)`` float32 unit rows.
        items: ``(n,)`` rows of ``vectors``; equal rows count as the same item.
        keys: ``(n,)`` what groups items, such as the image of each text.

    Returns:
        ``(n,)`` float64 cosine similarities; NaN for an item alone under its key.
    """
    members: dict[int, set[int]] = defaultdict(set)
    for item, key in zip(items.tolist(), keys.tolist(), strict=True):
        members[key].add(item)
    alike = np.full(len(items), np.nan)
    for index, (item, key) in enumerate(zip(items.tolist(), keys.tolist(), strict=True)):
        others = sorted(members[key] - {item})
        if others:
            alike[index] = float((vectors[others] @ vectors[item]).max())
    return alike


def suspicion(signs: Sequence[pd.Series]) -> Floats:
    """Return the mean of the percentiles of all signs that a label has: ``(n_labels,)`` in (0, 1).

    A percentile is the mid-rank of a label's sign among those labels that have it, ties sharing the middle.

    Args:
        signs: ``(n_labels,)`` float64 each, larger the more suspicious, NaN where there is none;
            every label has at least one.
    """
    table = pd.concat(signs, axis=1)
    percentiles = (table.rank() - 0.5) / table.count().clip(lower=1)
    mean: Floats = percentiles.mean(axis=1).to_numpy()
    return mean


def findings(rank: Integers, best_irrelevant: Floats, typical: float) -> list[str]:
    """Return for each label whether images fit its text, as one model sees it.

    "" where the labelled image is at rank ``FOUND`` or better. Otherwise ``OTHER_FITS`` where an image that the text
    does not belong to fits it as well as right answers usually fit theirs, and ``NONE_FITS`` where no image does.

    Args:
        rank: ``(n,)`` rank of the labelled image.
        best_irrelevant: ``(n,)`` score of the best image that the text does not belong to.
        typical: the median score of relevant images that were ranked first.
    """
    return [
        "" if r <= FOUND else OTHER_FITS if score >= typical else NONE_FITS
        for r, score in zip(rank.tolist(), best_irrelevant.tolist(), strict=True)
    ]


def majority(found: Sequence[str]) -> str:
    """Return what most models find of a label, ``MODELS_DIFFER`` if no finding has the majority."""
    for word in ("", OTHER_FITS, NONE_FITS):
        if 2 * found.count(word) > len(found):
            return word
    return MODELS_DIFFER


def explain(signs: Mapping[str, float], n_images: int, n_texts: int) -> str:
    """Say in a few words what makes a label suspicious, the strongest sign first."""
    image_rank, text_rank, text_alike, image_alike = (signs[name] for name in SIGNS)
    reasons = [
        (np.log(image_rank) / np.log(n_images + 1), f"image ranks {image_rank:.0f} for it"),
        (np.log(text_rank) / np.log(n_texts + 1), f"text ranks {text_rank:.0f} for the image"),
        (1 - text_alike, f"unlike the image's other texts ({text_alike:.2f})"),
        (1 - image_alike, f"unlike its other images ({image_alike:.2f})"),
    ]
    known = sorted((reason for reason in reasons if not np.isnan(reason[0])), reverse=True)
    return "; ".join(text for _, text in known[:2])
