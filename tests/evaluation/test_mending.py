"""Planted label errors, found by the audit and mended by judgements, from labels to measures."""

from collections import defaultdict
from typing import Any

import numpy as np
import pandas as pd
import pytest

from text2image.evaluation.labels.audit import best_alike, pair_ranks, suspicion
from text2image.evaluation.measures import reported
from text2image.evaluation.results import make_results
from text2image.evaluation.summary import Resampling, summarise
from text2image.formats.texts import query_id
from text2image.formats.trec import run_lines
from text2image.queries.query import make_queries
from text2image.queries.relevance import judge_queries
from text2image.retrieval.gallery import rank_gallery
from text2image.retrieval.ranking import top_k
from text2image.retrieval.runs import rank_queries, relevant_pairs

N_IMAGES, DIM, NOISE, SHARE = 200, 64, 0.32, 0.1
IMAGE_IDS = [f"{number:016x}" for number in range(N_IMAGES)]
TEXTS = [f"text {number:03}" for number in range(2 * N_IMAGES)]


def unit(matrix: np.ndarray) -> np.ndarray:
    return (matrix / np.linalg.norm(matrix, axis=1, keepdims=True)).astype(np.float32)


def measured(
    labels: list[tuple[int, int]], texts: np.ndarray, images: np.ndarray, judged: dict[str, dict[str, int]]
) -> dict[str, Any]:
    """Return the measures of labels (image, text) through the package's own steps."""
    queries = make_queries((IMAGE_IDS[image], TEXTS[text]) for image, text in labels)
    relevance, left_out = judge_queries(
        queries, {i: [i] for i in IMAGE_IDS}, judged, max_relevant_share=1.0, generic_words=[]
    )
    assert not left_out
    asked = {query.query_id: query.text for query in queries if query.query_id in relevance}
    vectors = texts[[TEXTS.index(text) for text in asked.values()]]
    pairs = relevant_pairs(asked, IMAGE_IDS, relevance)
    rankings = rank_gallery(vectors, images, pairs.rows, pairs.columns, 1)
    blocks = rank_queries("m", asked, IMAGE_IDS, pairs, rankings)
    ranks = pd.DataFrame([row for _, rows in blocks for row in rows]).astype({"score": float})
    ranked = make_results(ranks, {image_id: i for i, image_id in enumerate(IMAGE_IDS)}, N_IMAGES).ranked
    return summarise(ranked, reported([5]), Resampling(2000, 1))


@pytest.mark.parametrize("seed", range(3))
def test_planted_errors_are_found_and_mended(seed: int) -> None:
    generator = np.random.default_rng(seed)
    images = unit(generator.normal(size=(N_IMAGES, DIM)))
    texts = unit(np.repeat(images, 2, axis=0) + NOISE * generator.normal(size=(2 * N_IMAGES, DIM)))
    true_image = np.repeat(np.arange(N_IMAGES), 2)
    clean = [(int(image), text) for text, image in enumerate(true_image)]

    labelled = true_image.copy()
    bad = generator.choice(2 * N_IMAGES, round(SHARE * 2 * N_IMAGES), replace=False)
    labelled[bad] = np.roll(labelled[bad], 1)
    dirty = [(int(image), text) for text, image in enumerate(labelled)]
    rows = np.arange(2 * N_IMAGES)
    signs = [
        np.log(pair_ranks(texts, images, rows, labelled)),
        np.log(pair_ranks(images, texts, labelled, rows)),
        -best_alike(texts, rows, labelled),
        -best_alike(images, labelled, rows),
    ]
    order = np.argsort(-suspicion([pd.Series(sign) for sign in signs]), kind="stable")
    assert np.isin(order[: len(bad)], bad).mean() >= 5 * SHARE

    # A person looks at the fifth most suspicious labels and at the first five images found for each.
    looked_at = order[: len(rows) // 5]
    found = top_k(texts[looked_at] @ images.T, 5)
    judged: dict[str, dict[str, int]] = defaultdict(dict)
    for text, top in zip(looked_at.tolist(), found, strict=True):
        for image in {*top.tolist(), int(labelled[text])}:
            grade = 3 if image == true_image[text] else 0
            judged[query_id(TEXTS[text])][IMAGE_IDS[image]] = grade
    # Without a relevant image among those found, a query would only be left out.
    judged = {query: grades for query, grades in judged.items() if any(grades.values())}

    before, after, truth = (
        measured(labels, texts, images, given)
        for labels, given in ((dirty, {}), (dirty, judged), (clean, {}))
    )
    for measure in ("mrr", "hit_rate@5"):
        assert before[measure] < truth[f"{measure}_low"], "the planted errors show"
        assert truth[f"{measure}_low"] <= after[measure] <= truth[f"{measure}_high"], "the mends undo them"


def test_the_order_of_files_and_models_changes_no_number() -> None:
    """The same labels in another order give the same measures to the last bit, and the same run lines."""
    generator = np.random.default_rng(7)
    images = unit(generator.normal(size=(N_IMAGES, DIM)))
    texts = unit(np.repeat(images, 2, axis=0) + generator.normal(size=(2 * N_IMAGES, DIM)))
    labels = [(text // 2, text) for text in range(2 * N_IMAGES)]
    shuffled = [labels[i] for i in generator.permutation(len(labels))]
    assert measured(labels, texts, images, {}) == measured(shuffled, texts, images, {})
    scores = np.sort(generator.normal(size=9).astype(np.float32))[::-1]
    assert list(run_lines("q", IMAGE_IDS[:9], scores, "m")) == list(
        run_lines("q", IMAGE_IDS[:9], scores, "m")
    )
