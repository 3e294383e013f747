"""The leaderboard: who is on the front, and what the page says."""

import numpy as np
import pytest

from text2image.encoders.throughput import Speed
from text2image.evaluation.leaderboard import COLUMNS, add_speeds, leaderboard, pareto_front
from text2image.evaluation.measures import Measure


def naive_front(cost: np.ndarray, quality: np.ndarray) -> list[bool]:
    points = list(zip(cost.tolist(), quality.tolist(), strict=True))
    return [
        not any(c <= cost_ and q >= quality_ and (c < cost_ or q > quality_) for c, q in points)
        for cost_, quality_ in points
    ]


@pytest.mark.parametrize("seed", range(20))
def test_the_front_against_a_naive_oracle(seed: int) -> None:
    generator = np.random.default_rng(seed)
    values = 4 if seed % 2 else 10**6  # few: ties in one and in both
    cost, quality = generator.integers(0, values, (2, seed)).astype(np.float64)
    assert pareto_front(cost, quality).tolist() == naive_front(cost, quality)


def test_the_front_by_hand() -> None:
    cost, quality = np.array([1.0, 2.0, 6.0, 6.0, 6.0, 44.0]), np.array([0.4, 0.5, 0.7, 0.7, 0.6, 0.7])
    assert pareto_front(cost, quality).tolist() == [True, True, True, True, False, False]


def test_speeds_add_a_front_a_source() -> None:
    rows = [
        {"system": model, "source": source, "mrr": mrr, "circular": "0"}
        for source, mrrs in (("a", "135"), ("b", "315"))
        for model, mrr in zip(("fast", "slow", "slower"), mrrs, strict=True)
    ]
    speeds = [
        Speed(model, what, "cpu", rate, rate, rate)
        for model, images in (("fast", "20"), ("slow", "10"))
        for what, rate in (("images", images), ("texts", "7"))
    ]
    extended = add_speeds(rows, speeds)
    assert [row["on_speed_front"] for row in extended] == ["1", "1", "1", "1", "0", "1"], (
        "the unknown is the slowest"
    )
    known = {"device": "cpu", "images_per_second": "10", "queries_per_second": "7", "on_speed_front": "1"}
    unknown = {"device": "", "images_per_second": "", "queries_per_second": "", "on_speed_front": "1"}
    rows[0]["circular"] = "1"
    assert [row["on_speed_front"] for row in add_speeds(rows, speeds)] == ["0", "1", "1", "1", "0", "1"], (
        "what is circular is on no front"
    )
    rows[0]["circular"] = "0"
    assert extended[1:3] == [rows[1] | known, rows[2] | unknown]


def test_a_row_for_each_source_and_model() -> None:
    def row(mrr: float) -> dict[str, object]:
        ends = {f"{name}{end}": mrr for name in ("mrr", "hit_rate@5") for end in ("", "_low", "_high")}
        return {"n_queries": 3, "n_images": 9, "circular": False, "chance": {"mrr": 0.1}, **ends}

    figures = {"small": {"s": row(0.5)}, "large": {"s": row(0.4)}, "strange": {"s": row(0.6)}}
    sizes = {
        "small": {"parameters": 10, "dimension": 2},
        "large": {"parameters": 20, "dimension": 4},
        "strange": {},
    }
    cards = {model: {"size": size} for model, size in sizes.items()}
    board = leaderboard(figures, cards, Measure("hit_rate", 5))
    assert tuple(board.columns) == COLUMNS
    assert board["on_front"].tolist() == [1, 0, 1], "what has no known size costs more than any other"
    assert board.iloc[0].tolist() == ["small", "s", 3, 9, 5, *["0.500000"] * 6, "0.100000", 10, 2, 0, 1]
    assert board.iloc[2][["parameters", "dimension"]].tolist() == ["", ""]
