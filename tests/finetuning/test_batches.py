"""Batches hold nothing that belongs together by another pair."""

import numpy as np
import pytest

from text2image.finetuning.data import Pair, separate_batches


@pytest.mark.parametrize("size", [2, 5, 64])
def test_no_two_pairs_of_a_batch_belong_together(size: int) -> None:
    generator = np.random.default_rng(size)
    relevant = {q: {int(i) for i in generator.integers(0, 30, 3)} for q in range(40)}
    pairs = [Pair(image, query) for query, images in relevant.items() for image in images]
    batches = separate_batches(pairs, size, relevant)
    for batch in batches:
        assert 2 <= len(batch) <= size
        for one in batch:
            assert not any(other is not one and other.image in relevant[one.query] for other in batch)
    dealt = [pair for batch in batches for pair in batch]
    assert len(set(dealt)) == len(dealt)
    assert len(pairs) - len(dealt) <= max(0, len(pairs) // 10), "only what fits nowhere is left out"
