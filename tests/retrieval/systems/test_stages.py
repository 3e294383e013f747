"""The stages `systems` and `retrieve` for what reads and looks: meaning, cross-encoders and a paid vision model."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import stages.retrieve
import stages.systems
import text2image.commands.rerank
from tests.support.chat_server import ChatServer
from tests.support.systems import IMAGES, QUERIES, SYSTEMS, set_up_systems
from tests.support.tiny_sentence_models import save_cross_encoder, save_text_encoder
from tests.support.workplace import Workplace, picture_id
from text2image.artifacts import ARTIFACTS
from text2image.base.console import InputError
from text2image.encoders.vectors import text_key
from text2image.formats.fields import write_fields
from text2image.formats.files import write_json
from text2image.formats.origins import circular
from text2image.formats.searched import write_searched
from text2image.formats.tables import read_csv, write_csv
from text2image.formats.texts import query_id
from text2image.formats.trec import read_run, write_qrels
from text2image.labels.openai.source import Source as OpenaiSource
from text2image.params import load_params
from text2image.queries.asked import ClusterRow
from text2image.retrieval.systems.describe import describe_system
from text2image.retrieval.systems.scorer import parse_why
from text2image.retrieval.systems.settings import Fusion, Systems, Vision


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Folders of a text encoder and of a cross-encoder."""
    root = tmp_path_factory.mktemp("models")
    return {
        "encoder": str(save_text_encoder(root / "encoder")),
        "cross": str(save_cross_encoder(root / "cross")),
    }


@pytest.fixture
def place(workplace: Workplace, server: ChatServer, models: dict[str, str]) -> Workplace:
    """A folder as the pipeline leaves it before its stage `systems`."""
    return set_up_systems(workplace, server, models)


def described(name: str) -> dict[str, Any]:
    about: dict[str, Any] = json.loads(ARTIFACTS.system(name).read_text("utf-8"))
    return about


def test_systems_that_read_and_look_are_described_built_and_ranked(
    place: Workplace, server: ChatServer, models: dict[str, str]
) -> None:
    stages.systems.main(load_params())
    assert not server.log, "to describe a system costs nothing"
    meant, second, third, both = (described(name) for name in SYSTEMS)
    assert meant["text_models"][models["encoder"]]["files"]["model.safetensors"]
    assert meant["size"]["parameters"] > 1000 and meant["service"] is None
    assert second["service"]["model"] == "test-model" and second["service"]["prompt"]
    assert set(third["text_models"]) == {models["encoder"], models["cross"]}
    assert both["origins"] == second["origins"] | third["origins"]
    assert both["parts"]["second"]["service"] == second["service"]
    assert meant["usd_per_1000_queries"] == third["usd_per_1000_queries"] == 0
    assert 0 < second["usd_per_1000_queries"] == both["usd_per_1000_queries"]
    openai = OpenaiSource(load_params().label.openai).origins()
    assert "test-model" in circular(openai, second["origins"]) and "test-model" in circular(
        openai, both["origins"]
    )
    assert not circular(openai, third["origins"]) and circular({"labels:ocr": ""}, third["origins"])
    encoder = {f"sha256:{meant['text_models'][models['encoder']]['files']['model.safetensors']}": ""}
    assert circular(encoder, third["origins"]) and not circular(encoder, second["origins"])
    for name in SYSTEMS:
        stages.retrieve.main(load_params(), name, "human")
        assert {len(row) for row in read_run(ARTIFACTS.run(name, "human")).values()} == {IMAGES}
    assert len(server.finished) == 9 and set(server.finished.values()) == {1}, (
        "the fusion bought nothing anew"
    )
    first = read_run(ARTIFACTS.run("meant", "human"))[query_id("red shoe")][0][0]
    assert first == sorted(picture_id(number) for number in range(IMAGES))[1], (
        "the image with these very words"
    )
    whys = {
        (row["query_id"], row["image_id"]): parse_why(row["why"])
        for row in read_csv(ARTIFACTS.why("second", "human"), ["why"])
    }
    run = read_run(ARTIFACTS.run("second", "human"))
    for query, row in run.items():
        grades = [int(whys[query, image].grade) for image, _ in row[:3]]
        assert grades == sorted(grades, reverse=True) and whys[query, row[0][0]].reason == "so"


def test_a_system_runs_again_exactly_when_what_it_asks_changed(
    place: Workplace, models: dict[str, str], tmp_path: Path
) -> None:
    def inputs() -> dict[str, bytes]:
        stages.systems.main(load_params())
        return {name: ARTIFACTS.system_inputs(name, "human").read_bytes() for name in ("builtin", *SYSTEMS)}

    before = inputs()
    place.set(price_input_per_million=2.0)
    place.params["systems"]["second"]["budget_usd"] = 5.0
    place.set()
    assert inputs() == before, "another price or budget costs nothing"
    place.set(max_side=256)
    after = inputs()
    assert {name for name in before if after[name] != before[name]} == {"second", "all"}
    before = after
    place.params["judge"]["prompt"] = "Another rubric."
    place.set()
    after = inputs()
    assert {name for name in before if after[name] != before[name]} == {"second", "all"}
    before = after
    other = save_cross_encoder(tmp_path / "other", seed=7)
    place.params["systems"]["third"]["by"] = str(other)
    place.set()
    after = inputs()
    assert {name for name in before if after[name] != before[name]} == {"third", "all"}


def test_which_of_several_models_a_part_is_can_be_told() -> None:
    """Three parts of two models: which part is the third of changes its scores, but not what the system reads."""

    def about(third: str) -> dict[str, Any]:
        models = {"a": "m", "b": "n", "c": third}
        parts = {name: Vision(kind="vision", model=model) for name, model in models.items()}
        fused = Fusion(kind="fusion", of=list(parts), weights=dict(zip(parts, (3.0, 2.0, 1.0), strict=True)))
        cards: dict[str, dict[str, Any]] = {model: {"origins": {}, "size": {}} for model in ("m", "n")}
        return describe_system("fused", Systems({**parts, "fused": fused}, ["m", "n"]), cards, {})

    assert about("m")["models"] == about("n")["models"] and about("m") != about("n")


@pytest.mark.parametrize("searched", [1, 5])
def test_systems_of_systems_rank_few_images_without_a_text_and_one_query(
    place: Workplace, models: dict[str, str], searched: int
) -> None:
    """Other images and queries are excluded, as where a fine-tuned model has seen them."""
    place.params["systems"] |= {
        "words": {"kind": "words", "fields": ["ocr"], "match": "both"},
        "both": {"kind": "fusion", "of": ["builtin", "words"]},
        "again": {"kind": "rerank", "of": "both", "by": models["cross"], "fields": ["ocr"]},
        "fused": {"kind": "fusion", "of": ["both", "again"]},
    }
    place.params["retrieve"]["systems"] = ["meant", "both", "again", "fused"]
    place.set()
    ids, query = sorted(picture_id(number) for number in range(IMAGES)), query_id(QUERIES[1])
    write_searched(ARTIFACTS.searched, ids, set(ids[searched:]))
    write_qrels(ARTIFACTS.qrels("human"), {query: {ids[0]: 1}})
    write_csv(ARTIFACTS.clusters("human"), ClusterRow._fields, [ClusterRow(query, 0)])
    write_fields(ARTIFACTS.field("ocr"), [])
    stages.systems.main(load_params())
    runs = {}
    for name in load_params().retrieve.systems:
        stages.retrieve.main(load_params(), name, "human")
        runs[name] = [image for image, _ in read_run(ARTIFACTS.run(name, "human"))[query]]
        assert sorted(runs[name]) == ids[:searched]
    assert runs["meant"] == ids[:searched], "nothing is said, so the tie rule decides"
    assert runs["fused"] == runs["again"] == runs["both"], "what sees decides alone"
    assert json.loads(ARTIFACTS.weights("fused", "human").read_text("utf-8"))["parts"].keys() == {"both"}


def test_a_model_that_is_not_there_is_said_before_anything_is_ranked(place: Workplace) -> None:
    place.params["systems"]["meant"]["model"] = "./nowhere"
    place.set()
    with pytest.raises(
        InputError, match=r"systems\.meant\.model in params\.yaml.*'\./nowhere' cannot be had"
    ):
        stages.systems.main(load_params())


def test_a_budget_ends_the_stage_with_its_answers_kept_and_the_next_goes_on(
    place: Workplace, server: ChatServer
) -> None:
    place.params["systems"]["second"]["budget_usd"] = 0.0008
    place.set(price_input_per_million=0.4, price_output_per_million=1.6, max_tokens=300)
    stages.systems.main(load_params())
    with pytest.raises(
        InputError, match=r"rerank second human: \d of 9 pairs .* raise systems\.second\.budget_usd"
    ):
        stages.retrieve.main(load_params(), "second", "human")
    assert not ARTIFACTS.run("second", "human").exists()
    bought = len(server.finished)
    assert 0 < bought < 9
    place.params["systems"]["second"]["budget_usd"] = 1.0
    place.set()
    stages.retrieve.main(load_params(), "second", "human")
    assert len(server.finished) == 9 and set(server.finished.values()) == {1}


def test_what_reranking_will_cost_is_said_before_it_does(
    place: Workplace, server: ChatServer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    estimate = text2image.commands.rerank.main
    monkeypatch.setattr("text2image.commands.rerank.check_current", lambda *paths: None)  # made without DVC
    estimate(["second", "--estimate"])
    assert "rerank second human: at most 9 pairs of query and image" in capsys.readouterr().out
    stages.systems.main(load_params())
    stages.retrieve.main(load_params(), "builtin", "human")
    estimate(["second", "--estimate"])
    assert "rerank second human: 9 of 9 pairs of query and image not graded yet" in capsys.readouterr().out
    assert not server.log
    stages.retrieve.main(load_params(), "second", "human")
    estimate(["second", "--estimate"])
    said = capsys.readouterr().out
    assert "0 of 9 pairs" in said and "about 0.00 USD" in said
    estimate(["third", "--estimate"])
    assert "rerank third: costs nothing but time" in capsys.readouterr().out
    for name, message in (
        ("nobody", "expected a system of the kind rerank"),
        ("builtin", "expected a system of the kind rerank"),
    ):
        with pytest.raises(InputError, match=message):
            estimate([name, "--estimate"])


def test_a_text_tower_in_use_encodes_texts_and_queries_for_meaning(
    place: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The encoder is one of embed.models: its card is the model's own, and each text is encoded once."""
    asked: list[str] = []

    def embed(name: str, card: Any, precision: str, runtime: Any, texts: Any) -> Any:
        assert (name, card["name"], precision) == ("builtin", "x", "fp32")
        asked.extend(texts)
        for text in texts:
            vector = np.frombuffer(hashlib.sha256(text.encode()).digest(), np.uint8).astype(np.float32) - 128
            yield [(text_key(text), (vector / np.linalg.norm(vector)).astype(np.float32).tobytes())]

    monkeypatch.setattr("text2image.retrieval.systems.readers.embed_texts_here", embed)
    card = json.loads(ARTIFACTS.card("builtin").read_text("utf-8"))
    write_json(ARTIFACTS.card("builtin"), card | {"pretrained": None, "context_length": 64})
    place.params["systems"]["meant"]["model"] = "builtin"
    place.set()
    for _ in range(2):
        stages.systems.main(load_params())
        stages.retrieve.main(load_params(), "meant", "human")
    assert len(asked) == len(set(asked)) and set(QUERIES) < set(asked)
    run = read_run(ARTIFACTS.run("meant", "human"))
    ids = sorted(picture_id(number) for number in range(IMAGES))
    assert [run[query_id(text)][0][0] for text in ("red shoe", "summer sale")] == [ids[1], ids[0]]
    assert described("meant")["origins"]["sha256:1"] == "builtin" and described("meant")["models"] == []
