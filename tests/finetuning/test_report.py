"""What a model card says of a difference."""

from typing import Any

from text2image.finetuning.measure import MEASURES
from text2image.finetuning.report import _results


def test_a_difference_over_few_queries_has_no_interval() -> None:
    means = dict.fromkeys(map(str, MEASURES), 0.5)
    ends = {"mrr": (-0.01, 0.09), "hit_rate@5": (None, None)}
    difference = {name: {"mean": 0.04, "low": low, "high": high} for name, (low, high) in ends.items()}
    part: dict[str, Any] = {"base": means, "tuned": means}
    told = _results({"validation": part, "test": part | {"difference": difference}})
    assert "the MRR differs by +0.040 [-0.010, +0.090] and HitRate@5 by +0.040 (too few independent" in told
