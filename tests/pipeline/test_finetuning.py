"""Fine-tuning as a user meets it: real DVC on a few photographs, and figures that cannot leak."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import pytest

from tests.support.pipeline import Project

pytestmark = pytest.mark.pipeline

PLAIN = """
import open_clip, socket
def refuse(*args, **kwargs):
    raise AssertionError(f"network access: {args}")
socket.socket.connect = socket.getaddrinfo = refuse
"""


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_tuned_model_is_made_measured_on_what_it_has_not_seen_and_refused_otherwise(
    project: Project,
) -> None:
    root = project.root
    project.set(
        label__sources=["human"],
        finetune__models=["builtin-tuned"],
        embed__models=["builtin", "builtin-tuned"],
        retrieve__systems=["builtin", "builtin-tuned"],
    )
    ran = project.repro("evaluate")
    assert {"split@builtin-tuned", "finetune@builtin-tuned", "relevance", "retrieve@builtin-human"} <= ran
    assert project.repro("evaluate") == set()
    project.set(models__another={"name": "ViT-B-32", "pretrained": "openai", "context_length": None})
    assert project.repro("evaluate") == {"local_models", "split@builtin-tuned"}, (
        "its card of the base model is the same"
    )

    # Every part is there, nothing of two parts is measured, and the metrics say so.
    split = table(root / "data" / "splits" / "builtin-tuned.csv")
    test = {row["query_id"] for row in split if row["part"] == "test"}
    assert {row["part"] for row in split} == {"train", "validation", "test"}
    metrics = json.loads((root / "metrics" / "metrics.json").read_text())
    for model in ("builtin", "builtin-tuned"):
        ranks = table(root / "data" / "ranks" / model / "human.csv")
        assert {row["query_id"] for row in ranks} == test
        figures = metrics[model]["human"]
        assert figures["part"] == "test"
        assert figures["n_images"] == len({row["image_id"] for row in split if row["part"] == "test"})
        assert figures["excluded"]["n_queries"] == 10 - len(test)
        assert "train and validation parts of what builtin-tuned" in figures["excluded"]["why"]
    found = json.loads((root / "metrics" / "finetune" / "builtin-tuned.json").read_text())
    assert found["test"]["tuned"]["mrr"] == pytest.approx(metrics["builtin-tuned"]["human"]["mrr"], abs=1e-6)
    assert found["test"]["base"]["mrr"] == pytest.approx(metrics["builtin"]["human"]["mrr"], abs=1e-6)

    # As its card says, plain open_clip loads it, in a fresh process without a network.
    card = (root / "data" / "tuned" / "builtin-tuned" / "README.md").read_text()
    assert "license: apache-2.0" in card
    usage = card.split("```python\n")[1].split("```")[0]
    project.run(
        sys.executable,
        "-c",
        f"{PLAIN}{usage}\nassert model.encode_text(tokenizer(['a red car'])).shape == (1, 384)",
    )

    # Curves are written while it runs, and drawn.
    live = root / "plots" / "finetune" / "builtin-tuned" / "live" / "plots" / "metrics"
    logged = {path.relative_to(live).as_posix() for path in live.rglob("*.tsv")}
    assert logged == {
        "train/loss.tsv", "train/learning_rate.tsv",
        "validation/loss.tsv", "validation/mrr.tsv", "validation/hit_rate@5.tsv",
    }  # fmt: skip

    # What was seen in training is refused, wherever it comes from, unless it is labelled.
    rank_file = root / "data" / "ranks" / "builtin-tuned" / "human.csv"
    sound = rank_file.read_text()
    seen = next(row for row in split if row["part"] == "train" and row["query_id"])
    rank_file.write_text(f"{sound}{seen['query_id']},{seen['text']},{seen['image_id']},2,1,0.5\n")
    refused = project.run("python", "-m", "stages.evaluate", check=False)
    assert "to hold what 'builtin-tuned' has not seen" in refused
    assert "Traceback" not in refused
    rank_file.write_text(sound)
    split_file = root / "data" / "splits" / "builtin-tuned.csv"
    project.run("dvc", "unprotect", str(split_file))
    split_file.write_text(split_file.read_text() + f"test,{seen['image_id']},q0,planted,2\n")
    leak = project.run("python", "-m", "stages.finetune", "builtin-tuned", check=False)
    assert f"found a leak: image {seen['image_id']} is in train and test" in leak
    assert "Traceback" not in leak

    project.set(evaluate__part="train")
    project.repro("evaluate")
    metrics = json.loads((root / "metrics" / "metrics.json").read_text())
    assert metrics["builtin-tuned"]["human"]["part"] == "train"
    assert "builtin-tuned · human (train)" in (root / "plots" / "hit_rate.csv").read_text()


def test_a_tuned_model_whose_run_is_not_listed_is_one_sentence(project: Project) -> None:
    project.set(embed__models=["builtin", "builtin-tuned"], retrieve__systems=["builtin", "builtin-tuned"])
    output = project.run("python", "-m", "stages.evaluate", check=False)
    assert "'builtin-tuned' is made by fine-tuning, expected 'builtin-tuned' in finetune.models too" in output
    assert "Traceback" not in output
