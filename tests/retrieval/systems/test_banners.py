"""What vision, words and both find on rendered banners whose words and products are known.

Everything is real: OCR reads the banners, the built-in model sees them. They are small, as most of the time is reading.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from tests.encoders.test_embedding import runtime
from tests.support.product_banners import Banner, banners
from tests.support.scorers import Given
from text2image.base.arrays import Floats, Integers
from text2image.collection.manifest import ImageFile
from text2image.encoders.builtin.assemble import build
from text2image.encoders.embedding import embed_images, embed_texts
from text2image.encoders.models.card import describe
from text2image.encoders.models.load import EmbeddingModel, load_model
from text2image.encoders.settings import Model
from text2image.formats.fields import FieldText
from text2image.formats.views import ImageVectors
from text2image.labels.ocr.engine import recogniser
from text2image.labels.ocr.models import find_models
from text2image.labels.ocr.source import confident_lines
from text2image.queries.clusters import query_clusters
from text2image.retrieval.ranking import ranks
from text2image.retrieval.systems.fusion import Fusion, Weighting
from text2image.retrieval.systems.scorer import Scorer
from text2image.retrieval.systems.tuning import tune
from text2image.retrieval.systems.vision import VisionScorer
from text2image.retrieval.systems.words.search import WordIndex, WordScorer

COUNT = 200


class Queries(NamedTuple):
    """What is asked: headlines as people type them, and what there is to see; the pairs of query and banner."""

    texts: list[str]
    is_headline: list[bool]
    rows: Integers
    columns: Integers

    def quality(self, scorer: Scorer) -> Floats:
        """Return the MRR of headlines, of products, and of all queries."""
        best = np.full(len(self.texts), np.inf)
        np.minimum.at(best, self.rows, ranks(scorer.scores(slice(0, len(best))), self.rows, self.columns))
        headline = np.array(self.is_headline)
        return np.array([(1 / best[which]).mean() for which in (headline, ~headline, slice(None))])


def queries_of(made: Sequence[Banner]) -> Queries:
    asked: dict[str, list[int]] = {banner.headline.lower(): [place] for place, banner in enumerate(made)}
    n_headlines = len(asked)
    for place, banner in enumerate(made):
        for caption in banner.product.captions[:2]:
            asked.setdefault(caption, []).append(place)
    rows = np.repeat(np.arange(len(asked)), [len(places) for places in asked.values()])
    columns = np.concatenate([np.array(places) for places in asked.values()])
    return Queries(list(asked), [row < n_headlines for row in range(len(asked))], rows, columns)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> EmbeddingModel:
    folder = tmp_path_factory.mktemp("builtin") / "model"
    build(folder)
    card = describe("builtin", Model(name=f"local-dir:{folder}", pretrained=None, context_length=64))
    return load_model("builtin", card, "cpu", "fp32")


def see(model: EmbeddingModel, images: Sequence[ImageFile], texts: Sequence[str]) -> VisionScorer:
    seen = np.concatenate([rows for _, rows in embed_images(model, images, runtime(batch_size=8))])
    row_of = {
        text: row
        for batch, rows in embed_texts(model, texts, runtime())
        for text, row in zip(batch, rows, strict=True)
    }
    return VisionScorer(np.stack([row_of[text] for text in texts]), ImageVectors(seen))


def read(images: Sequence[ImageFile], texts: Sequence[str]) -> WordScorer:
    answers = dict(recogniser(find_models(), 1024, 2)(images))
    lines = [confident_lines(answers[image.key], 0.5) for image in images]
    ocr = [[FieldText("", line.text) for line in of_image] for of_image in lines]
    return WordScorer(texts, WordIndex({"ocr": ocr}, "ngrams"))


def sum_of_z_scores(systems: Sequence[Scorer], weight: float) -> Given:
    """Return what ``scores`` is instead of: each system's scores standardised for each query by themselves."""
    seen, read = (system.scores(slice(0, system.n_queries)).astype(np.float64) for system in systems)
    z = [(s - s.mean(axis=1, keepdims=True)) / (s.std(axis=1, keepdims=True) + 1e-12) for s in (seen, read)]
    return Given((1 - weight) * z[0] + weight * z[1])


@pytest.mark.slow
@pytest.mark.timeout(1200)  # two minutes on two idle cores, most of it reading
@pytest.mark.parametrize("seed", [1, 2])
def test_a_tuned_fusion_finds_what_either_finds(
    seed: int, model: EmbeddingModel, tmp_path: Path, own_cache: None
) -> None:
    by_id = {
        hashlib.sha256(one.path.read_bytes()).hexdigest()[:16]: one for one in banners(seed, COUNT, tmp_path)
    }
    made = [banner for _, banner in sorted(by_id.items())]
    images = [ImageFile(image_id, banner.path) for image_id, banner in sorted(by_id.items())]
    assert len(made) == COUNT
    asked = queries_of(made)
    systems: list[Scorer] = [see(model, images, asked.texts), read(images, asked.texts)]
    compare(seed, asked, systems)


def compare(seed: int, asked: Queries, systems: Sequence[Scorer]) -> None:
    """Hold what vision and words find, by themselves and together, against each other, and print it."""
    (headlines_seen, products_seen, _), (headlines_read, products_read, _) = map(asked.quality, systems)
    assert headlines_read >= 0.9
    assert headlines_read > headlines_seen
    assert products_seen > products_read + 0.1

    clusters = query_clusters(asked.rows, asked.columns, len(asked.texts))
    assert len(np.unique(clusters)) > 100
    tuning = tune(["vision", "words"], systems, asked.texts, asked.rows, asked.columns, clusters)
    both = Fusion(["vision", "words"], systems, tuning.weighting())
    best = np.maximum(*map(asked.quality, systems))
    found = asked.quality(both)
    assert (found[:2] >= best[:2] - 0.01).all(), "each kind of query as by what finds it better"
    assert found[2] >= best[2] + 0.1, "and of the mixture more than by either"
    half = np.full_like(tuning.of_queries, 0.5)
    equal = asked.quality(Fusion(["vision", "words"], systems, Weighting(half, tuning.units)))
    assert (equal[:2] >= best[:2] - 0.02).all(), "the choice of weights hardly matters"
    ranked = asked.quality(Fusion(["vision", "words"], systems, Weighting(half, np.ones(2)), "ranks"))
    assert ranked[2] < best[2], "reciprocal ranks: a partner that knows nothing ruins a good system"
    zscored = max(
        (asked.quality(sum_of_z_scores(systems, step / 20)) for step in range(21)), key=lambda q: q[2]
    )
    assert zscored[2] < found[2] - 0.05, "z-scores of each query: a faint likeness is as loud as a headline"
    figures = {"vision": asked.quality(systems[0]), "words": asked.quality(systems[1]), "tuned": found}
    for name, quality in (figures | {"equal": equal, "z-scores": zscored, "ranks": ranked}).items():
        print(f"seed {seed} {name:9}", *(f"{value:.3f}" for value in quality))
