"""Searches with every kind of system give what the stage gives, and what costs money says so first."""

import json
from typing import Any

import numpy as np
import pytest

import stages.retrieve
import stages.systems
import text2image.commands.search
from tests.support.chat_server import ChatServer
from tests.support.systems import IMAGES, QUERIES, SYSTEMS, set_up_systems
from tests.support.tiny_sentence_models import save_cross_encoder, save_text_encoder
from tests.support.workplace import Workplace
from text2image.artifacts import ARTIFACTS
from text2image.base.console import InputError
from text2image.base.store import Store
from text2image.commands.judge import read_pool
from text2image.encoders.vectors import text_determinants, text_key
from text2image.formats.files import write_json
from text2image.formats.tables import read_csv, write_csv
from text2image.formats.texts import query_id
from text2image.formats.trec import read_qrels, read_run
from text2image.pages.search.service import SearchService
from text2image.pages.search.why import as_json
from text2image.params import load_params
from text2image.retrieval.systems.scorer import Why, parse_why

MORE: dict[str, Any] = {
    "words": {"kind": "words", "fields": ["ocr"]},
    "half": {"kind": "fusion", "of": ["builtin", "words"], "weights": {"builtin": 0.5, "words": 0.5}},
    "ranks": {
        "kind": "fusion",
        "of": ["meant", "words"],
        "method": "ranks",
        "weights": {"meant": 1, "words": 2},
    },
    "last": {"kind": "rerank", "of": "half", "depth": 2},
}
NAMES = ["builtin", *SYSTEMS, *MORE]
UNSEEN = "a green hat"


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
    """A folder in which all systems have answered the queries, and a model that has embedded one more."""
    set_up_systems(workplace, server, models)
    workplace.params["systems"] |= MORE
    workplace.params["retrieve"]["systems"] = NAMES
    workplace.set()
    card = json.loads(ARTIFACTS.card("builtin").read_text()) | {"pretrained": None, "context_length": None}
    write_json(ARTIFACTS.card("builtin"), card)
    vectors = np.load(ARTIFACTS.query_vectors("builtin", "human"))
    with Store("embeddings", text_determinants(card, "fp32")) as store:
        store.put(
            (text_key(text), row.tobytes())
            for text, row in zip([*QUERIES, UNSEEN], [*vectors, vectors[0]], strict=True)
        )
    write_json(ARTIFACTS.origins("human"), {})
    stages.systems.main(load_params())
    for name in NAMES:
        stages.retrieve.main(load_params(), name, "human")
    return workplace


def search(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[list[dict[str, Any]], str]:
    """Return what a search found and what it said."""
    capsys.readouterr()
    text2image.commands.search.main([*arguments, "-k", "100", "--json"])
    printed = capsys.readouterr()
    return json.loads(printed.out), printed.err


def test_every_kind_of_system_finds_what_its_run_has(
    place: Workplace, server: ChatServer, capsys: pytest.CaptureFixture[str]
) -> None:
    bought = len(server.finished)
    for name in NAMES:
        run = read_run(ARTIFACTS.run(name, "human"))
        table = read_csv(ARTIFACTS.why(name, "human"), ["query_id", "image_id", "why"])
        reasons = {(row["query_id"], row["image_id"]): parse_why(row["why"]) for row in table}
        assert reasons or name == "builtin"
        for text in QUERIES:
            found, said = search(capsys, text, "--system", name)
            ranking = run[query_id(text)]
            assert [one["image_id"] for one in found] == [image_id for image_id, _ in ranking], (name, text)
            assert [one["score"] for one in found] == pytest.approx([score for _, score in ranking], abs=1e-6)
            for one in found[:3]:
                why = json.loads(json.dumps(as_json(reasons.get((query_id(text), one["image_id"]), Why()))))
                assert one["why"].pop("parts") == pytest.approx(why.pop("parts"), abs=1e-9), (name, text)
                assert one["why"] == why, (name, text)
            assert ("0 of " in said) == bool(load_params().used.paid(name)), said
    assert len(server.finished) == bought, "what was graded is not bought again"


def test_a_search_that_costs_money_says_so_first(
    place: Workplace, server: ChatServer, capsys: pytest.CaptureFixture[str]
) -> None:
    bought = len(server.finished)
    found, said = search(capsys, UNSEEN, "--system", "second")
    assert "rerank second: 3 of 3 pairs of query and image not graded yet" in said
    assert "USD" in said
    assert len(server.finished) == bought + 3
    assert [bool(one["why"]["grade"]) for one in found] == [True] * 3 + [False] * (IMAGES - 3)
    search(capsys, UNSEEN, "--system", "last")
    assert len(server.finished) <= bought + 5, "as good as what another system asked"


def test_the_page_asks_what_costs_money_only_if_it_may(place: Workplace, server: ChatServer) -> None:
    for path in (ARTIFACTS.labels("human"), ARTIFACTS.left_out("human")):
        write_csv(path, ("image_id", "text", "confidence", "query_id", "reason"), [])
    manifest = read_csv(ARTIFACTS.manifest, ["image_id", "path"])
    rows = [(row["path"], row["image_id"], 64, 48, "PNG", number) for number, row in enumerate(manifest)]
    write_csv(ARTIFACTS.catalog, ("path", "image_id", "width", "height", "format", "near_group"), rows)
    bought = len(server.finished)
    service = SearchService(load_params(), "Ann")
    assert service.at_first() == ("builtin", "meant")
    service.systems = ["second", "builtin", "last"]
    assert service.at_first() == ("builtin", ""), "to open a page costs nothing"
    service.systems = ["second", "last"]
    assert service.at_first() == ("second", "")
    with pytest.raises(
        InputError, match=r"'last' asks a paid vision model .* `t2i app --paid` .* systems\.last\.budget_usd"
    ):
        service.search(UNSEEN, ["last"], 5)
    one, other = service.search(UNSEEN, ["last", "words"], 5).systems
    assert (one.results, len(other.results)) == ([], 5)
    assert "t2i app --paid" in one.note
    assert len(server.finished) == bought
    [paid] = SearchService(load_params(), "Ann", may_pay=True).search(UNSEEN, ["last"], 5).systems
    assert [bool(result.why.grade) for result in paid.results] == [True, True, False, False, False]
    assert len(server.finished) == bought + 2


def test_the_pool_of_judgements_has_the_first_images_of_all_systems(place: Workplace) -> None:
    write_csv(ARTIFACTS.labels("human"), ("image_id", "text", "confidence"), [])
    place.params["judge"]["depth"] = 1
    place.set()
    runs = {name: read_run(ARTIFACTS.run(name, "human")) for name in NAMES}
    relevant = read_qrels(ARTIFACTS.qrels("human"))
    gallery = {image_id for image_id, _ in next(iter(runs["builtin"].values()))}
    pooled = read_pool("human", load_params(), gallery)
    firsts = {query: {run[query][0][0] for run in runs.values()} for query in relevant}
    assert {one.query_id: set(one.images) for one in pooled} == {
        query: firsts[query] | set(grades) for query, grades in relevant.items()
    }
    assert any(len(images) > 1 for images in firsts.values()), "systems differ"
