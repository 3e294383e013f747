"""How charts and sheets look is decided in one place, and changes nothing but pictures."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from stages.examples_instructive import most_instructive
from tests.support.pipeline import REPOSITORY, Project
from text2image.evaluation.curves import STEPS, HitRateAt, hit_rate_curve, rank_shares, reciprocal_rank_curve
from text2image.evaluation.summary import RankedQueries, Resampling
from text2image.pages import charts as chart_templates
from text2image.pages import theme as look


@pytest.mark.parametrize("name", chart_templates.TEMPLATES)
def test_the_templates_are_those_that_the_code_writes(name: str) -> None:
    committed = (REPOSITORY / ".dvc" / "plots" / f"{name}.json").read_text(encoding="utf-8")
    assert committed == chart_templates.text(name), "run python -m text2image.pages.charts"


def test_every_template_is_used_and_none_is_missing() -> None:
    used = set(re.findall(r"template: (\w+)", (REPOSITORY / "dvc.yaml").read_text()))
    committed = {path.stem for path in (REPOSITORY / ".dvc" / "plots").glob("*.json")}
    assert used == committed == set(chart_templates.TEMPLATES)


def test_a_model_has_one_colour_in_every_chart() -> None:
    for name, make in chart_templates.TEMPLATES.items():
        spec = make()
        assert spec["config"]["range"]["category"] == list(look.MODELS)
        for colour in re.findall(r'"color": (\{"field": "model"[^}]*\})', json.dumps(spec)):
            assert "scale" not in colour, name


@pytest.mark.pipeline
def test_a_change_of_the_look_reruns_the_pictures_alone(project: Project) -> None:
    for name in ("look", "sheets"):
        path = project.root / "stages" / "io" / f"{name}.py"
        path.write_text(path.read_text().replace('"#009e73"', '"#111111"').replace("GAP = 12", "GAP = 14"))
    dvc_yaml = project.root / "dvc.yaml"
    dvc_yaml.write_text(dvc_yaml.read_text().replace("title: Image sizes", "title: Sizes of the images"))
    examples = project.root / "stages" / "examples.py"
    examples.write_text(examples.read_text().replace(" queries: {model} on", " answers: {model} on"))
    assert project.repro() == {
        "examples@builtin-human", "examples@builtin-imagenet", "examples_dataset", "examples_instructive",
        *(f"examples_{kind}@{source}" for kind in ("audit", "labels") for source in ("human", "imagenet")),
    }  # fmt: skip


def test_the_area_below_the_reciprocal_ranks_is_the_mrr() -> None:
    ranks = np.random.default_rng(0).integers(1, 400, 1000)
    for best in (ranks, ranks[ranks <= STEPS], ranks[ranks > STEPS], np.ones(3, dtype=np.int64)):
        shares, values = np.array(list(reciprocal_rank_curve(best))).T
        assert np.sum(np.diff(shares) * values[1:]) == pytest.approx(np.mean(1 / best))
        assert (shares[0], shares[-1]) == (0.0, pytest.approx(1.0))
        assert np.all(np.diff(values) <= 0)
        assert len(values) <= STEPS + 2
        assert sum(share for _, share in rank_shares(best)) == pytest.approx(1.0)


def test_the_curve_of_hit_rates_has_intervals() -> None:
    queries = RankedQueries(np.array([1, 3, 2, 9]), np.full(4, 2), np.array([1, 2, 1]), 10, np.arange(3))
    points = list(hit_rate_curve(queries, Resampling(2000, 1)))
    assert [point.k for point in points] == [1, 2, 3, 5, 7, 10]
    assert [point.hit_rate for point in points] == pytest.approx([1 / 3, 2 / 3, 2 / 3, 2 / 3, 2 / 3, 1])
    assert all(point.low <= point.hit_rate <= point.high for point in points)
    assert points[0].chance == pytest.approx((0.1 + 0.2 + 0.1) / 3)
    assert points[-1] == HitRateAt(10, 1.0, points[-1].low, 1.0, pytest.approx(1.0))


def test_the_most_instructive_queries_are_those_on_which_models_differ() -> None:
    def rows(*ranks: int) -> list[dict[str, str]]:
        return [
            {"text": text, "best_rank": str(rank), "cluster": cluster}
            for text, rank, cluster in zip("abcd", ranks, "0012", strict=True)
        ]

    found = most_instructive({"x": rows(1, 1, 7, 2), "y": rows(1, 9, 7, 1), "z": rows(2, 5, 7, 4)}, 5)
    assert [(split.text, split.best[0], split.worst[0]) for split in found] == [
        ("b", "x", "y"),
        ("d", "y", "z"),
    ], "one a cluster, none on which all agree"
    assert most_instructive({"x": rows(1, 2, 3, 4)}, 5) == []
