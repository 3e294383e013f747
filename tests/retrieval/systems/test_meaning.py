"""Likeness of meaning: the best of an image's texts counts, and what has no text is last."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from tests.support.pipeline import REPOSITORY
from tests.support.reranking import Fixed
from tests.support.tiny_sentence_models import save_cross_encoder, save_text_encoder
from text2image.base.arrays import Vectors
from text2image.base.settings import Runtime
from text2image.encoders.sentences.card import describe_sentence_model
from text2image.encoders.sentences.cross_encoding import cross_scores
from text2image.encoders.sentences.encoding import sentence_vectors
from text2image.formats.fields import FieldText
from text2image.params import load_params
from text2image.retrieval.ranking import top_k
from text2image.retrieval.systems.cross_grades import CrossGrader
from text2image.retrieval.systems.meaning import Meaning, MeaningIndex
from text2image.retrieval.systems.rerank import Rerank

pytestmark = pytest.mark.usefixtures("own_cache")

BOX = ((0, 0), (9, 0), (9, 9), (0, 9))


@pytest.fixture(scope="module")
def runtime() -> Runtime:
    return load_params(REPOSITORY / "params.yaml").runtime.model_copy(update={"device": "cpu"})


def unit(vectors: Vectors) -> Vectors:
    lengths = np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
    rows: Vectors = (vectors / lengths).astype(np.float32)
    return rows


def fields_of(texts: dict[str, list[list[str]]]) -> dict[str, list[list[FieldText]]]:
    return {
        field: [[FieldText(str(image), text, 0.9, BOX) for text in own] for image, own in enumerate(images)]
        for field, images in texts.items()
    }


class Encoder:
    """Gives every text a vector of its own, and knows what it was asked for."""

    def __init__(self) -> None:
        self.of: dict[str, Vectors] = {}

    def __call__(self, texts: Sequence[str]) -> Vectors:
        assert len(set(texts)) == len(texts), "no text is encoded twice"
        rows = unit(np.random.default_rng(len(self.of)).normal(size=(len(texts), 8)).astype(np.float32))
        self.of |= dict(zip(texts, rows, strict=True))
        return rows


def test_scores_equal_a_naive_maximum_over_texts() -> None:
    random = np.random.default_rng(3)
    words = ["red", "shoe", "sale", "hat", "blue", "dogs", ""]

    def some() -> list[list[str]]:
        return [
            [" ".join(random.choice(words, size=random.integers(1, 4))) for _ in range(random.integers(0, 4))]
            for _ in range(50)
        ]

    texts, encoder = {"ocr": some(), "caption": some()}, Encoder()
    texts["ocr"][7], texts["caption"][7] = [], ["  "]
    queries = unit(random.normal(size=(20, 8)).astype(np.float32))
    system = Meaning(queries, MeaningIndex(fields_of(texts), encoder))
    scores = system.scores(slice(0, 20))
    assert (system.n_queries, system.n_images) == scores.shape == (20, 50) and scores.dtype == np.float32
    without = []
    for image, (read, said) in enumerate(zip(texts["ocr"], texts["caption"], strict=True)):
        own = [text.strip() for text in (*read, *said) if text.strip()]
        if not own:
            without.append(image)
            continue
        for query, row in zip(queries.astype(np.float64), scores, strict=True):
            each = [encoder.of[text].astype(np.float64) for text in (*own, " ".join(own))]
            assert row[image] == np.float32(max(float(query @ vector) for vector in each))
    assert 7 in without and len(without) < 25
    others = np.delete(scores, without, axis=1)
    assert (scores[:, without] == others.min(axis=1, keepdims=True)).all()
    for one in range(20):
        assert system.scores(slice(one, one + 1)).tobytes() == scores[one : one + 1].tobytes()


def test_without_any_text_nothing_is_said_and_nothing_encoded() -> None:
    def refuse(texts: Sequence[str]) -> Vectors:
        raise AssertionError(texts)

    system = Meaning(
        np.ones((2, 8), dtype=np.float32), MeaningIndex(fields_of({"ocr": [[], [" "], []]}), refuse)
    )
    assert not system.scores(slice(0, 2)).any() and system.scores(slice(0, 2)).shape == (2, 3)
    assert system.scores(slice(2, 2)).shape == (0, 3)
    assert [why.matches for why in system.explain(0, [0, 1])] == [(), ()]


def test_the_best_texts_of_an_image_explain_it() -> None:
    encoder = Encoder()
    texts = {"ocr": [["red shoe", "sale", "hat ", "blue"], []], "caption": [["a dog"], []]}
    system = Meaning(unit(np.ones((1, 8), dtype=np.float32)), MeaningIndex(fields_of(texts), encoder))
    first, none = system.explain(0, [0, 1])
    assert none.matches == () and len(first.matches) == 3
    query = unit(np.ones((1, 8), dtype=np.float32))[0]
    own = ["red shoe", "sale", "hat", "blue", "a dog"]
    best = sorted(own, key=lambda text: -float(query @ encoder.of[text]))[:3]
    assert [match.text.text.strip() for match in first.matches] == best
    assert all(match.words == tuple(match.text.text.split()) and match.text.box for match in first.matches)
    assert {match.field for match in first.matches} <= {"ocr", "caption"}


TEXTS = [
    ["red shoe", "summer sale"],
    [],
    ["blue hat"],
    ["two dogs in the summer"],
    ["red", "hat"],
    ["cat"],
    [" "],
]


def test_a_real_text_encoder_finds_a_text_as_it_stands(tmp_path: Path, runtime: Runtime) -> None:
    card = describe_sentence_model(str(save_text_encoder(tmp_path / "encoder")), "systems.meant.model")

    def encode(texts: Sequence[str]) -> Vectors:
        return sentence_vectors(card, texts, "document", "systems.meant.model", runtime)

    queries = ["two dogs in the summer", "cat", "red shoe summer sale", "red"]
    vectors = sentence_vectors(card, queries, "query", "systems.meant.model", runtime)
    system = Meaning(vectors, MeaningIndex(fields_of({"ocr": TEXTS}), encode))
    assert top_k(system.scores(slice(0, 4)), 1)[:, 0].tolist() == [3, 5, 0, 4]


def test_a_cross_encoder_orders_the_first_images_by_its_scores(tmp_path: Path, runtime: Runtime) -> None:
    card = describe_sentence_model(str(save_cross_encoder(tmp_path / "model")), "systems.second.by")
    queries = ["red shoe", "blue hat", "two dogs"]
    base = Fixed(
        np.random.default_rng(2).permuted(np.tile(np.arange(7.0), (3, 1)), axis=1).astype(np.float32)
    )
    grader = CrossGrader("second", card, runtime, queries, fields_of({"ocr": TEXTS}))
    system = Rerank(base, 5, grader.grade)
    ranked = top_k(system.scores(slice(0, 3)), 7)
    for query, text in enumerate(queries):
        first = sorted(range(7), key=lambda image: -base.given[query, image])
        read = [image for image in first[:5] if any(one.strip() for one in TEXTS[image])]
        pairs = [(text, " ".join(TEXTS[image])) for image in read]
        own = dict(zip(read, cross_scores(card, pairs, "", runtime).tolist(), strict=True))
        silent = [image for image in first[:5] if image not in own]
        expected = sorted(read, key=lambda image: -own[image]) + silent + first[5:]
        assert ranked[query].tolist() == expected
        best, last = system.explain(query, [expected[0], first[6]])
        assert best.grade == f"{own[expected[0]]:.3f}" and last.grade == ""
    assert any(grade.reason == "no text to read" and grade.level == 0 for grade in system.grades.values())
    assert len({tuple(row) for row in ranked.tolist()}) == 3


def test_equal_scores_of_a_cross_encoder_keep_the_order_of_the_base(tmp_path: Path, runtime: Runtime) -> None:
    card = describe_sentence_model(str(save_cross_encoder(tmp_path / "model")), "systems.second.by")
    base = Fixed(np.array([[1.0, 3.0, 2.0, 0.0]], dtype=np.float32))
    fields = fields_of({"ocr": [["red"], ["red"], ["red"], ["red"]]})
    system = Rerank(base, 4, CrossGrader("second", card, runtime, ["hat"], fields).grade)
    assert top_k(system.scores(slice(0, 1)), 4)[0].tolist() == [1, 2, 0, 3]
