"""What models read of texts: cut captions, unknown tokens and texts that get one vector are counted and listed."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from stages import embed_queries
from tests.support.pipeline import REPOSITORY, tiny_model
from tests.support.tokenizers import card, clip, minilm, siglip_like
from text2image.artifacts import ARTIFACTS
from text2image.encoders.models.load import load_tokenizer
from text2image.encoders.readings import (
    CUT,
    NOTHING,
    ONE_VECTOR,
    UNKNOWN,
    Finding,
    Reading,
    find_misread,
    read_texts,
    reading_figures,
    reading_sentence,
    stored_readings,
)
from text2image.encoders.vectors import text_key
from text2image.formats.files import write_json
from text2image.formats.tables import read_csv
from text2image.formats.texts import Query
from text2image.formats.trec import write_queries
from text2image.params import load_params

WORD = "shoe "


@pytest.mark.parametrize("make", [minilm, clip])
def test_a_text_is_cut_from_one_token_too_many_on(
    tmp_path: Path, make: Callable[..., dict[str, Any]]
) -> None:
    """Two of the context's tokens are the model's own."""
    tokenizer = load_tokenizer("some", make(tmp_path / "some", context_length=16))
    short, full, long = read_texts(tokenizer, ["a red shoe", WORD * 14, WORD * 15])
    assert short == Reading(limit=16, cut=False, tokens=3, unknown=0)
    assert full == Reading(limit=16, cut=False, tokens=14, unknown=0)
    assert long == Reading(limit=16, cut=True, tokens=14, unknown=0)


def test_a_tokenizer_that_ends_and_fills_texts_with_one_token(tmp_path: Path) -> None:
    tokenizer = load_tokenizer("some", siglip_like(tmp_path / "some", context_length=8))
    assert list(read_texts(tokenizer, ["a red 🎸", WORD * 7, WORD * 8, ""])) == [
        Reading(limit=8, cut=False, tokens=3, unknown=1),
        Reading(limit=8, cut=False, tokens=7, unknown=0),
        Reading(limit=8, cut=True, tokens=7, unknown=0),
        Reading(limit=8, cut=False, tokens=0, unknown=0),
    ]


def test_emoji_and_scripts_that_a_tokenizer_does_not_know(tmp_path: Path) -> None:
    texts = ["🎸", "red 🎸 guitar", "ᐃᓄᒃᑎᑐᑦ", "guitar", ""]
    words = load_tokenizer("words", minilm(tmp_path / "words"))
    read = [(one.tokens, one.unknown) for one in read_texts(words, texts)]
    assert read == [(1, 1), (3, 1), (1, 1), (1, 0), (0, 0)]
    bytes_ = load_tokenizer("bytes", clip(tmp_path / "bytes", context_length=77))
    assert not any(one.unknown for one in read_texts(bytes_, texts)), "CLIP's tokenizer knows every byte"


def test_a_text_of_which_nothing_is_read() -> None:
    queries = {"q1": "!!!"}
    findings = find_misread(
        queries, {text_key("!!!"): Reading(64, False, 0, 0)}, np.eye(1, 4, dtype=np.float32)
    )
    assert findings == [Finding("q1", "!!!", NOTHING, "")]


def test_texts_with_one_vector_are_groups() -> None:
    queries = {"q3": "🎸", "q1": "🎻", "q2": "guitar", "q5": "a", "q4": "b"}
    readings = {text_key(text): Reading(64, False, 1, int(text in "🎸🎻")) for text in queries.values()}
    vectors = np.eye(3, dtype=np.float32)[[0, 0, 1, 2, 2]]
    findings = find_misread(queries, readings, vectors)
    assert [(one.query_id, one.detail) for one in findings if one.reason == ONE_VECTOR] == [
        ("q1", "q1"), ("q3", "q1"), ("q4", "q4"), ("q5", "q4"),
    ]  # fmt: skip
    assert [(one.query_id, one.detail) for one in findings if one.reason == UNKNOWN] == [
        ("q1", "1 of 1"), ("q3", "1 of 1"),
    ]  # fmt: skip
    figures = reading_figures(readings, findings)
    assert figures == {
        "queries": 5, "context_length": 64, "cut": 0, "with_unknown_tokens": 2, "without_token": 0,
        "with_the_vector_of_another": 4, "groups_of_one_vector": 2,
    }  # fmt: skip
    assert reading_sentence("builtin", figures) == (
        "2 of 5 queries have tokens that builtin does not know; "
        "2 groups of different texts have one vector by builtin (4 queries)"
    )


def test_the_sentence() -> None:
    figures = {
        "queries": 2400,
        "context_length": 77,
        "cut": 12,
        "groups_of_one_vector": 1,
        "with_the_vector_of_another": 15,
    }
    assert reading_sentence("clip-b32", figures) == (
        "12 of 2,400 queries are read by clip-b32 to their 77th token only; "
        "1 group of different texts has one vector by clip-b32 (15 queries)"
    )
    assert reading_sentence("clip-b32", {"queries": 2400, "context_length": 77, "cut": 0}) == ""
    one = {"queries": 9, "context_length": 64, "cut": 1, "with_unknown_tokens": 1}
    assert reading_sentence("m", one) == (
        "1 of 9 queries is read by m to its 64th token only; 1 of 9 queries has tokens that m does not know"
    )


def test_texts_that_were_read_before_need_no_tokenizer(tmp_path: Path) -> None:
    described = clip(tmp_path / "clip", context_length=16)
    texts = {text_key(text): text for text in ("a red shoe", WORD * 20)}
    read = stored_readings(described, texts, lambda: load_tokenizer("clip", described))
    assert {key: one.cut for key, one in read.items()} == dict(zip(texts, (False, True), strict=True))

    def refuse() -> None:
        raise AssertionError("loaded a tokenizer")

    assert stored_readings(described, texts, refuse) == read


def test_the_stage_lists_counts_and_says_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of four captions, two have the same first fourteen words: the model gives both one vector."""
    monkeypatch.chdir(tmp_path)
    raw = yaml.safe_load((REPOSITORY / "params.yaml").read_text(encoding="utf-8"))
    raw["label"]["sources"], raw["embed"]["models"] = ["human"], ["tiny"]
    raw["retrieve"]["systems"] = ["tiny"]
    raw["models"]["tiny"] = {"name": "local-dir:tiny", "pretrained": None, "context_length": None}
    Path("params.yaml").write_text(yaml.safe_dump(raw))
    tiny_model(Path("tiny"))
    write_json(ARTIFACTS.card("tiny"), card(Path("tiny"), None))
    texts = ["a red shoe", "two dogs", WORD * 20 + "red", WORD * 20 + "blue"]
    write_queries(ARTIFACTS.queries("human"), [Query(f"q{n}", text, ()) for n, text in enumerate(texts)])
    embed_queries.main(load_params(), "tiny", "human")
    rows = read_csv(ARTIFACTS.readings("tiny", "human"), ["query_id", "text", "reason", "detail"])
    assert [(row["query_id"], row["reason"], row["detail"]) for row in rows] == [
        ("q2", CUT, "16"), ("q2", ONE_VECTOR, "q2"), ("q3", CUT, "16"), ("q3", ONE_VECTOR, "q2"),
    ]  # fmt: skip
    assert json.loads(ARTIFACTS.reading_metrics("tiny", "human").read_text())["cut"] == 2
    assert (
        "2 of 4 queries are read by tiny to their 16th token only; 1 group of different texts has one vector by tiny "
        "(2 queries) (see data/readings/tiny/human.csv)"
    ) in capsys.readouterr().err
