"""The leaderboard: who is on the front, and what the page says."""

from __future__ import annotations

import numpy as np
import pytest

from text2image.evaluation.leaderboard import COLUMNS, leaderboard, markdown, pareto_front, table
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


def test_the_tables_line_up() -> None:
    assert table(["a", "speed"], [["x|y", "9"], ["z", "10.5"]]).split("\n") == [
        "| a    | speed |",
        "| ---- | ----: |",
        "| x\\|y |     9 |",
        "| z    |  10.5 |",
    ]


def test_the_page_says_what_is_not_known() -> None:
    means = dict.fromkeys(("mrr", "hit_rate"), (0.5, 0.25, 0.75))
    figures = {
        f"{n}{e}": str(v) for n, m in means.items() for e, v in zip(("", "_low", "_high"), m, strict=True)
    }
    row = {
        "model": "m", "source": "human", "n_queries": "3", "n_images": "1000", "k": "5", "mrr_chance": "0.01",
        "parameters": "", "dimension": "", "on_front": "1", **figures,
    }  # fmt: skip
    speeds = {"m": {"device": "cpu", "images": "12.34", "texts": "1234"}}
    page = markdown([row], {"m": "mit"}, {"far": "it is far away; go there"}, speeds)
    assert "0.50 [0.25, 0.75] | 0.50 [0.25, 0.75]" in page
    assert [cell.strip() for cell in page.split("\n| m ")[-1].split("|")[1:8]] == [
        "unknown", "unknown", "12.3", "1,234", "unknown", "unknown", "mit",
    ]  # fmt: skip
    assert page.endswith("\n- far: it is far away\n")
    known = markdown([row | {"parameters": "29532969", "dimension": "384"}], {"m": "mit"}, {}, speeds)
    assert [cell.strip() for cell in known.split("\n| m ")[-1].split("|")[1:7]] == [
        "29.5 M", "384", "12.3", "1,234", "1.54 MB", "1.5 GB",
    ]  # fmt: skip
    assert "What it costs on this machine (cpu)" in known
    assert "Not to be had" not in known
    unmeasured = markdown([row], {"m": "mit"}, {}, {})
    assert [cell.strip() for cell in unmeasured.split("\n| m ")[-1].split("|")[3:5]] == ["unknown"] * 2


def test_a_row_for_each_source_and_model() -> None:
    def row(mrr: float) -> dict[str, object]:
        ends = {f"{name}{end}": mrr for name in ("mrr", "hit_rate@5") for end in ("", "_low", "_high")}
        return {"n_queries": 3, "n_images": 9, "chance": {"mrr": 0.1}, **ends}

    figures = {"small": {"s": row(0.5)}, "large": {"s": row(0.4)}, "strange": {"s": row(0.6)}}
    sizes = {
        "small": {"parameters": 10, "dimension": 2},
        "large": {"parameters": 20, "dimension": 4},
        "strange": {},
    }
    cards = {model: {"size": size} for model, size in sizes.items()}
    board = leaderboard(figures, cards, ["s"], Measure("hit_rate", 5))
    assert tuple(board.columns) == COLUMNS
    assert board["on_front"].tolist() == [1, 0, 1], "what has no known size costs more than any other"
    assert board.iloc[0].tolist() == ["small", "s", 3, 9, 5, *["0.500000"] * 6, "0.100000", 10, 2, 1]
    assert board.iloc[2][["parameters", "dimension"]].tolist() == ["", ""]
