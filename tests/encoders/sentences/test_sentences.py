"""Text encoders and cross-encoders of sentence-transformers: cards, the same bits in any company, and the store."""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sentence_transformers import CrossEncoder, SentenceTransformer

from tests.support.hub_cache import HubCache
from tests.support.pipeline import REPOSITORY
from tests.support.tiny_sentence_models import save_cross_encoder, save_text_encoder
from text2image.base.console import InputError
from text2image.base.settings import Runtime
from text2image.encoders.sentences.card import describe_sentence_model
from text2image.encoders.sentences.cross_encoding import cross_scores
from text2image.encoders.sentences.encoding import sentence_vectors
from text2image.encoders.vectors import Card
from text2image.params import load_params

KEY = "systems.meant.model"
TEXTS = [
    "red shoe", "blue hat", "summer sale", "the red shoes", "two dogs in the summer", "cat", "a cat",
    "winter sale : red hat", "blue", "unheard of",
]  # fmt: skip


@pytest.fixture(scope="module")
def runtime() -> Runtime:
    return load_params(REPOSITORY / "params.yaml").runtime.model_copy(update={"device": "cpu"})


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_text_encoder(tmp_path_factory.mktemp("encoder"), query_prompt="find : ")


@pytest.fixture(scope="module")
def cross(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_cross_encoder(tmp_path_factory.mktemp("cross") / "model")


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Count what is loaded."""
    from text2image.encoders.sentences import forward

    names: list[str] = []
    load = forward.load_sentence_model

    def counting(kind: Any, card: Card, key: str, runtime: Runtime) -> Any:
        names.append(kind)
        return load(kind, card, key, runtime)

    monkeypatch.setattr(forward, "load_sentence_model", counting)
    return names


def empty_store(root: Path) -> None:
    shutil.rmtree(root / ".cache", ignore_errors=True)


def test_a_card_names_what_determines_a_result_and_nothing_else(encoder: Path, tmp_path: Path) -> None:
    model = tmp_path / "model"
    shutil.copytree(encoder, model)
    card = describe_sentence_model(str(model), KEY)
    assert {"model.safetensors", "modules.json", "1_Pooling/config.json", "tokenizer.json"} <= card[
        "files"
    ].keys()
    assert "README.md" not in card["files"] and card["revision"] is None
    assert card["origins"] == {f"sha256:{card['files']['model.safetensors']}": str(model)}
    weights = SentenceTransformer(str(model)).parameters()
    assert card["size"]["parameters"] == sum(tensor.numel() for tensor in weights)
    (model / "README.md").write_text("Another text.")
    (model / "origins.json").write_text(json.dumps({"sha256:ab": "its teacher"}))
    (model / ".cache").mkdir()
    (model / ".cache" / "download.metadata").write_text("when")
    again = describe_sentence_model(str(model), KEY)
    assert again["files"] == card["files"] and again["origins"] == card["origins"] | {
        "sha256:ab": "its teacher"
    }
    (model / "1_Pooling" / "config.json").write_text("{}")
    assert describe_sentence_model(str(model), KEY)["files"] != card["files"]


def test_a_model_of_the_hub_is_its_commit(
    cross: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = HubCache(tmp_path / "hub")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(hub.root))
    monkeypatch.setattr("huggingface_hub._snapshot_download.constants.HF_HUB_CACHE", str(hub.root))
    commit = hub.publish("someone/cross", cross)
    card = describe_sentence_model("someone/cross", KEY, local_only=True)
    assert card["revision"] == commit and card["name"] == "someone/cross"
    assert card["files"] == describe_sentence_model(str(cross), KEY)["files"]
    with pytest.raises(InputError, match=rf"{KEY} in params\.yaml.*'someone/other' cannot be had.*HF_HOME"):
        describe_sentence_model("someone/other", KEY, local_only=True)


@pytest.mark.parametrize("name", ["/nowhere/model", "./model", "a/b/c"])
def test_a_folder_that_is_not_there_is_not_looked_for_on_the_hub(name: str) -> None:
    with pytest.raises(InputError, match="there is no such folder"):
        describe_sentence_model(name, KEY)


def test_a_folder_without_a_model_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"neither modules\.json nor config\.json"):
        describe_sentence_model(str(tmp_path), KEY)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(InputError, match="no weights"):
        describe_sentence_model(str(tmp_path), KEY)


@pytest.fixture(params=[1, 4])
def batch(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Go through a network one by one, as on a CPU, or in batches that are filled up, as on an accelerator."""
    monkeypatch.setattr("text2image.encoders.sentences.forward.CPU_BATCH", request.param)


@pytest.mark.usefixtures("batch")
def test_vectors_are_the_encoders_own_and_have_the_same_bits_in_any_company(
    encoder: Path, runtime: Runtime, tmp_path: Path, loads: list[str]
) -> None:
    card = describe_sentence_model(str(encoder), KEY)
    vectors = {role: sentence_vectors(card, TEXTS, role, KEY, runtime) for role in ("query", "document")}
    model = SentenceTransformer(str(encoder), device="cpu")
    expected = {"query": model.encode_query(TEXTS), "document": model.encode_document(TEXTS)}
    for role, rows in vectors.items():
        unit = expected[role] / np.linalg.norm(expected[role], axis=1, keepdims=True)
        np.testing.assert_allclose(rows, unit, atol=2e-6)
    assert np.abs(vectors["query"] - vectors["document"]).max() > 1e-3, "a query has a prompt before it"
    assert len(loads) == 2
    repeated = sentence_vectors(card, [TEXTS[3], TEXTS[0], TEXTS[3]], "query", KEY, runtime)
    assert repeated.tobytes() == vectors["query"][[3, 0, 3]].tobytes() and len(loads) == 2
    for number, text in enumerate(TEXTS):
        empty_store(tmp_path)
        alone = sentence_vectors(card, [text], "query", KEY, runtime.model_copy(update={"workers": 3}))
        assert alone.tobytes() == vectors["query"][number : number + 1].tobytes(), text


@pytest.mark.usefixtures("batch")
def test_scores_are_the_cross_encoders_own_and_have_the_same_bits_in_any_company(
    cross: Path, runtime: Runtime, tmp_path: Path, loads: list[str]
) -> None:
    card = describe_sentence_model(str(cross), KEY)
    pairs = [(query, text) for query in TEXTS[:3] for text in TEXTS]
    scores = cross_scores(card, pairs, KEY, runtime)
    expected = CrossEncoder(str(cross), device="cpu").predict(pairs, activation_fn=torch.nn.Identity())
    np.testing.assert_allclose(scores, expected, rtol=1e-4, atol=1e-5)
    assert len(set(scores.tolist())) > 20
    assert cross_scores(card, pairs[::-1], KEY, runtime).tobytes() == scores[::-1].tobytes()
    assert loads == ["CrossEncoder"]
    for number in (0, 4, 17):
        empty_store(tmp_path)
        assert cross_scores(card, pairs[number : number + 1], KEY, runtime)[0] == scores[number]


def test_other_weights_are_another_model(cross: Path, tmp_path: Path, runtime: Runtime) -> None:
    other = describe_sentence_model(str(save_cross_encoder(tmp_path / "other", seed=2)), KEY)
    pair = [("red shoe", "blue hat")]
    first = cross_scores(describe_sentence_model(str(cross), KEY), pair, KEY, runtime)
    assert cross_scores(other, pair, KEY, runtime)[0] != first[0]


def test_a_model_that_cannot_serve_is_one_sentence(
    cross: Path, tmp_path: Path, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    classifier = describe_sentence_model(str(save_cross_encoder(tmp_path / "classifier", labels=3)), KEY)
    with pytest.raises(InputError, match=r"for systems\.meant\.model.*gives a pair 3 scores and not one"):
        cross_scores(classifier, [("a", "b")], KEY, runtime)
    half = save_text_encoder(tmp_path / "half")  # whose head for pairs would be random
    with pytest.raises(InputError, match="lacks weights, in whose place random ones would be"):
        cross_scores(describe_sentence_model(str(half), KEY), [("a", "b")], KEY, runtime)
    broken = tmp_path / "broken"
    shutil.copytree(cross, broken)
    (broken / "model.safetensors").write_bytes(b"\x02\x00\x00\x00\x00\x00\x00\x00{}")
    with pytest.raises(InputError, match="lacks weights"):
        cross_scores(describe_sentence_model(str(broken), KEY), [("a", "b")], KEY, runtime)
    (broken / "config.json").write_text("{}")
    with pytest.raises(InputError, match="cannot be loaded"):
        cross_scores(describe_sentence_model(str(broken), KEY), [("a", "b")], KEY, runtime)
    changed = describe_sentence_model(str(cross), KEY)
    changed["files"] |= {"config.json": "0"}
    with pytest.raises(InputError, match=r"found another config\.json in .*dvc repro -f -s systems"):
        cross_scores(changed, [("a", "b")], KEY, runtime)
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(InputError, match=r"pip install 'text2image-retrieval\[rerank\]'"):
        cross_scores(describe_sentence_model(str(cross), KEY), [("c", "d")], KEY, runtime)
