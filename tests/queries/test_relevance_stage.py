"""The stage that decides what is asked and searched: which files it writes, and which vectors it reads."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stages import relevance
from tests.support.pipeline import REPOSITORY
from text2image.artifacts import ARTIFACTS
from text2image.base.console import InputError
from text2image.formats.files import write_array
from text2image.formats.searched import read_searched
from text2image.formats.tables import read_csv, write_csv
from text2image.formats.texts import query_id
from text2image.formats.trec import read_qrels
from text2image.params import Params, load_params
from text2image.queries.judgements import JudgementRow
from text2image.queries.split import SplitRow, write_split

SHOE, HAT = query_id("shoe"), query_id("hat")
GROUPS = {"a": 0, "b": 0, "c": 1, "d": 2}


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with what the stage reads, embeddings apart."""
    monkeypatch.chdir(tmp_path)
    write_csv(ARTIFACTS.catalog, ("image_id", "near_group"), list(GROUPS.items()))
    write_csv(ARTIFACTS.labels("human"), ("image_id", "text"), [("a", "shoe"), ("d", "hat")])
    write_csv(ARTIFACTS.without_label("human"), ("image_id", "reason"), [])
    write_csv(ARTIFACTS.judgements, JudgementRow._fields, [])


def parameters(tuned: bool = False, **cosine: Any) -> Params:
    """Return the sample's parameters, with a fine-tuned model in use or a model that says what is similar."""
    params = load_params(REPOSITORY / "params.yaml")
    queries = params.queries.model_copy(
        update={
            "max_relevant_share": 1.0,
            "relevance": "near_duplicates",
            "cosine": params.queries.cosine.model_copy(update=cosine),
        }
    )
    embed = params.embed.model_copy(update={"models": ["builtin", *(["builtin-tuned"] if tuned else [])]})
    label = params.label.model_copy(update={"sources": ["human"]})
    return params.model_copy(update={"queries": queries, "embed": embed, "label": label})


def split(*rows: SplitRow) -> None:
    write_split(ARTIFACTS.split("builtin-tuned"), rows, GROUPS)


def test_without_a_model_no_vector_is_read() -> None:
    relevance.main(parameters(model=None))
    assert read_qrels(ARTIFACTS.qrels("human")) == {SHOE: {"a": 2, "b": 2}, HAT: {"d": 2}}
    assert read_searched(ARTIFACTS.searched).image_ids == ["a", "b", "c", "d"]
    assert not ARTIFACTS.excluded.exists()


def test_images_that_a_model_finds_similar_answer_too() -> None:
    vectors = np.array([[1, 0], [1, 0], [0.8, 0.6], [0, 1]], dtype=np.float32)
    write_array(ARTIFACTS.image_vectors("builtin"), vectors)
    relevance.main(parameters(model="builtin", threshold=0.75))
    assert read_qrels(ARTIFACTS.qrels("human")) == {SHOE: {"a": 2, "b": 2, "c": 2}, HAT: {"d": 2}}
    relevance.main(parameters(model="builtin", threshold=0.9))
    assert read_qrels(ARTIFACTS.qrels("human"))[SHOE] == {"a": 2, "b": 2}


def test_what_a_fine_tuned_model_has_seen_is_neither_asked_nor_searched() -> None:
    split(
        SplitRow("test", "a", SHOE, "shoe", 2),
        SplitRow("test", "b", "", "", 0),
        SplitRow("validation", "c", "", "", 0),
        SplitRow("train", "d", HAT, "hat", 2),
    )
    relevance.main(parameters(tuned=True))
    assert read_qrels(ARTIFACTS.qrels("human")) == {SHOE: {"a": 2, "b": 2}}
    searched = read_searched(ARTIFACTS.searched)
    assert (searched.rows.tolist(), searched.image_ids) == ([0, 1], ["a", "b"])
    left_out = read_csv(ARTIFACTS.left_out("human"), ["query_id", "reason"])
    assert [(row["query_id"], row["reason"]) for row in left_out] == [(HAT, "excluded (fine-tuning data)")]
    excluded = [tuple(row.values()) for row in read_csv(ARTIFACTS.excluded, ["kind", "id", "run", "part"])]
    assert excluded == [
        ("image", "c", "builtin-tuned", "validation"),
        ("image", "d", "builtin-tuned", "train"),
        ("query", HAT, "builtin-tuned", "train"),
    ]
    relevance.main(parameters())
    assert not ARTIFACTS.excluded.exists(), "no fine-tuned model is in use any more"


def test_a_source_without_a_query_left_is_one_sentence() -> None:
    split(*(SplitRow("train", image, query, "x", 2) for image, query in (("a", SHOE), ("d", HAT))))
    with pytest.raises(InputError, match=r"query from human .* all 2 queries are left out \(2: excluded"):
        relevance.main(parameters(tuned=True))
