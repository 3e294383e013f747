"""How much of the results has been judged: literals."""

import numpy as np
import pytest

from text2image.evaluation.judged import judged, judged_at, uncounted
from text2image.formats.texts import query_id
from text2image.queries.judgements import JudgementRow


def test_judged_by_hand() -> None:
    judgements = np.array([[True, False, True], [False, False, False]])
    assert judged(judgements, 1).tolist() == [1.0, 0.0]
    assert judged(judgements, 2).tolist() == [0.5, 0.0]
    np.testing.assert_allclose(judged(judgements, 10), [2 / 3, 0.0])
    with pytest.raises(ValueError, match="k ≥ 1"):
        judged(judgements, 0)


def test_only_judgements_of_the_source_count() -> None:
    rows = [
        JudgementRow("human", "A", "x", 0, "Ann", ""), JudgementRow("human", "a", "x", 3, "model:m", ""),
        JudgementRow("ocr", "a", "y", 3, "Ann", ""), JudgementRow("human", "b", "x", 1, "Ann", ""),
    ]  # fmt: skip
    run = {query_id("a"): [("x", 0.9), ("y", 0.8)], query_id("c"): [("x", 0.5), ("y", 0.1)]}
    assert judged_at(run, "human", rows, [1, 2, 5]) == {"judged@1": 0.5, "judged@2": 0.25, "judged@5": 0.25}
    assert uncounted(rows, {"human": [query_id("a")], "ocr": [query_id("a")]}) == 1
