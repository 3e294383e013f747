"""The table of how good tuned fusions would be with other weights."""

import json

import numpy as np

from tests.support.scorers import Given
from text2image.evaluation.fusion_weights import COLUMNS, fusion_weights
from text2image.retrieval.systems.tuning import FOLDS, tune


def test_the_table_has_the_curve_the_choice_and_the_choices_of_the_folds() -> None:
    rng, every = np.random.default_rng(0), np.arange(40)
    columns = rng.integers(0, 20, 40)
    scores = rng.normal(size=(2, 40, 20))
    scores[0, every[::2], columns[::2]] += 3.0
    scores[1, every[1::2], columns[1::2]] += 3.0
    ids = [f"query-{number}" for number in every]
    tuning = tune("ab", [Given(scores[0]), Given(scores[1])], ids, every, columns, every)
    figures = json.loads(json.dumps(tuning.as_json(every)))
    given = {"systems": ["a", "b"], "weights": {"a": 0.5, "b": 0.5}, "units": {"a": 1.0, "b": 1.0}}
    table = fusion_weights(
        {("both", "human"): figures, ("both", "ocr"): figures, ("given", "human"): given, ("a", "human"): {}},
        {("both", "ocr")},
    )
    assert list(table) == list(COLUMNS)
    assert set(zip(table["system"], table["source"], table["circular"], strict=True)) == {
        ("both", "human", 0),
        ("both", "ocr", 1),
    }
    human = table[table["source"] == "human"]
    assert human["weight"].tolist() == [f"{step / 20:.6f}" for step in range(21)]
    assert set(human["part"]) == {"b"}
    assert human["n_folds"].sum() == FOLDS
    chosen = human[human["chosen"] == 1]
    assert chosen["weight"].tolist() == [f"{tuning.weights[1]:.6f}"]
    assert float(chosen["mrr"].iloc[0]) == round(tuning.in_sample, 6) == human["mrr"].astype(float).max()


def test_without_a_tuned_fusion_the_table_has_its_columns_alone() -> None:
    assert fusion_weights({("a", "human"): {}}, ()).to_csv(index=False) == ",".join(COLUMNS) + "\n"
