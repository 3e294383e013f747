"""Ranks of any system's scores against a sort of whole rows, over blocks, threads and ties."""

import numpy as np
import pytest

from tests.support.scorers import Given
from text2image.base.console import InputError
from text2image.formats.fields import FieldText
from text2image.formats.views import ImageVectors
from text2image.retrieval.gallery import rank_gallery
from text2image.retrieval.systems import ranks
from text2image.retrieval.systems.ranks import rank_scores
from text2image.retrieval.systems.scorer import Match, Part, Why, parse_why, why_json
from text2image.retrieval.systems.vision import VisionScorer


def some_pairs(
    generator: np.random.Generator, n_queries: int, n_images: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return pairs of a few images a query, none of some, and all images of one."""
    chosen = generator.random((n_queries, n_images)) < 0.15
    chosen[0], chosen[1] = True, False
    rows, columns = np.nonzero(chosen)
    return rows, columns


@pytest.mark.parametrize("block", [1, 3, 1000])
@pytest.mark.parametrize("levels", [2, 5, 1_000_000])
@pytest.mark.parametrize("k", [1, 4, 50])
def test_ranks_equal_a_sort_of_whole_rows(
    monkeypatch: pytest.MonkeyPatch, block: int, levels: int, k: int
) -> None:
    generator = np.random.default_rng(levels + k)
    scores = (generator.integers(0, levels, (12, 31)) / levels - 0.5).astype(np.float32)
    rows, columns = some_pairs(generator, *scores.shape)
    monkeypatch.setattr(ranks, "BLOCK_SCORES", block * scores.shape[1])
    seen = 0
    for ranking in rank_scores(Given(scores), rows, columns, k, threads=3):
        for query in range(ranking.queries.start, ranking.queries.stop):
            at = query - ranking.queries.start
            order = sorted(range(31), key=lambda column: (-scores[query, column], column))
            assert ranking.columns[at].tolist() == order[:k]
            assert ranking.scores[at].tolist() == scores[query, order[:k]].tolist()
            relevant = columns[rows == query].tolist()
            own = ranking.pair_ranks[rows[ranking.pairs] == query]
            assert own.tolist() == [1 + order.index(column) for column in relevant]
            others = [column for column in order if column not in relevant]
            assert ranking.irrelevant_columns[at] == (others[0] if others else -1)
            if others:
                assert ranking.irrelevant_ranks[at] == 1 + order.index(others[0])
                assert ranking.irrelevant_scores[at] == scores[query, others[0]]
            seen += 1
    assert seen == 12


def test_a_model_alone_ranks_as_its_rows_do() -> None:
    generator = np.random.default_rng(3)
    queries, images = (generator.integers(-2, 3, (n, 8)).astype(np.float32) for n in (9, 40))
    rows, columns = some_pairs(generator, 9, 40)
    slow = list(rank_scores(VisionScorer(queries, ImageVectors(images)), rows, columns, 7))
    fast = list(rank_gallery(queries, images, rows, columns, 7))
    for name in ("columns", "scores", "pair_ranks", "pair_scores", "irrelevant_columns", "irrelevant_scores"):
        one, other = (np.concatenate([getattr(part, name) for part in parts]) for parts in (slow, fast))
        if name == "irrelevant_scores":
            one, other = one[1:], other[1:]  # every image answers the first query
        assert one.tolist() == other.tolist(), name


def test_reasons_are_read_as_they_were_written() -> None:
    text = FieldText("ab12", 'SALE <b>"50 %"', 0.97, ((1, 2), (30, 2), (30, 9), (1, 9)))
    why = Why(
        (Match("ocr", text, ("SALE",)),), (Part("words", 1.5), Part("builtin", -0.25)), "whole", "3", "it is"
    )
    assert parse_why(why_json(why)) == why
    assert parse_why(why_json(Why())) == Why()


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"matches": 1}', '{"matches": [["ocr"]]}', '{"parts": [[]]}', "[" * 100_000]
)
def test_a_damaged_reason_is_one_sentence(text: str) -> None:
    with pytest.raises(InputError, match="expected the reason of a score"):
        parse_why(text)
