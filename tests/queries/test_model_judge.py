"""A vision model as judge, against a server on this machine."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml
from PIL import Image

from tests.support.chat_handler import Refusal
from tests.support.chat_server import KEY, ChatServer
from tests.support.earlier import JUDGE_PROMPT, OPENAI_SETTINGS
from tests.support.judging import EVIL, POOL, SHOE, session, three_images
from tests.support.pipeline import REPOSITORY
from text2image.base.console import InputError
from text2image.base.settings import OpenaiRuntime
from text2image.base.store import Store, fingerprint
from text2image.collection.manifest import ImageFile
from text2image.labels.openai.ledger import Ledger
from text2image.labels.openai.reading import READER
from text2image.labels.openai.settings import Settings
from text2image.params import load_params
from text2image.queries.judgements import JudgementRow, read_if_any, read_judgements
from text2image.queries.judging.model import (
    AskedPair,
    judge_by_model,
    judge_determinants,
    judge_settings,
    model_judge,
)
from text2image.queries.judging.session import Session

pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "judgements.csv"


@pytest.fixture
def files(tmp_path: Path) -> dict[str, ImageFile]:
    return three_images(tmp_path)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ChatServer]:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with ChatServer() as running:
        running.script.content = lambda image: 'So: {"x": 1} {"reason": "fits\\nwell", "grade": 2}'
        yield running


class ModelJudge(NamedTuple):
    """How the model judges, and how fast."""

    settings: Settings
    runtime: OpenaiRuntime

    @property
    def name(self) -> str:
        return model_judge(self.settings)

    def judge(self, session: Session, files: dict[str, ImageFile]) -> None:
        judge_by_model(session, files, self.settings, self.runtime)


def model_of(tmp_path: Path, server: ChatServer, **judge: object) -> ModelJudge:
    params = yaml.safe_load((REPOSITORY / "params.yaml").read_text())
    prices = {"price_input_per_million": 0.4, "price_output_per_million": 1.6, "max_tokens": 300}
    params["label"]["openai"] |= {"model": server.model, "base_url": server.base_url, **prices}
    params["judge"] |= judge
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    read = load_params(tmp_path / "params.yaml")
    settings = judge_settings(read.label.openai, read.judge.prompt, read.judge.budget_usd)
    return ModelJudge(settings, read.runtime.openai)


def test_a_model_grades_what_it_has_not_graded(
    tmp_path: Path, path: Path, files: dict[str, ImageFile], server: ChatServer
) -> None:
    model = model_of(tmp_path, server)
    judge = session(path, by=model.name)
    session(path).judge(SHOE, "a", 0)
    model.judge(judge, files)
    graded = [
        JudgementRow("human", q.text, i, 2, "model:test-model", "fits well") for q in POOL for i in q.images
    ]
    assert read_judgements(path)[1:] == graded
    assert len(server.log) == 4
    model.judge(judge, files)
    assert len(read_judgements(path)) == 5
    path.unlink()
    model.judge(judge, files)
    assert read_judgements(path) == graded and len(server.log) == 4
    model_of(tmp_path, server, prompt="Other").judge(judge, files)
    assert len(server.log) == 4  # what it has judged, it has judged
    path.unlink()
    model_of(tmp_path, server, prompt="Other").judge(judge, files)
    assert len(server.log) == 8


def test_the_model_is_told_the_rubric_and_the_query(
    tmp_path: Path,
    path: Path,
    files: dict[str, ImageFile],
    server: ChatServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[tuple[str, str]] = []
    check = server.check_chat

    def listen(body: dict[str, object]) -> str:
        text = body["messages"][0]["content"][0]["text"]  # type: ignore[index]
        asked.append((text, json.dumps(body["response_format"])))
        return check(body)

    monkeypatch.setattr(server, "check_chat", listen)
    model = model_of(tmp_path, server, prompt="The rubric.")
    model.judge(session(path, by=model.name), files)
    texts = sorted(text for text, _ in asked)
    queries = (EVIL, EVIL, "red shoe", "red shoe")
    assert texts == [f"The rubric.\nSearch query: {json.dumps(query)}" for query in queries]
    assert all('"enum": [0, 1, 2, 3]' in form for _, form in asked)


@pytest.mark.parametrize(
    "said", ['{"reason": "x", "grade": 4}', '{"reason": "x", "grade": true}', "2", {"refusal": "no"}]
)
def test_answers_without_a_grade_are_said_and_not_asked_again(
    tmp_path: Path, path: Path, files: dict[str, ImageFile], server: ChatServer, said: object,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    server.script.content = lambda image: said
    model = model_of(tmp_path, server)
    for _ in range(2):
        model.judge(session(path, by=model.name), files)
    assert not path.exists() and len(server.log) == 4
    assert re.search(
        r"0 grades by model:test-model, 4 images without one \((refused|malformed answer)\)",
        capsys.readouterr().err,
    )


def test_the_budget_ends_the_run_and_keeps_what_came(
    tmp_path: Path,
    path: Path,
    files: dict[str, ImageFile],
    server: ChatServer,
    capsys: pytest.CaptureFixture[str],
) -> None:
    model = model_of(tmp_path, server, budget_usd=0.0012)
    model.judge(session(path, by=model.name), files)
    assert 0 < len(read_judgements(path)) < 4
    assert "stopped before judge.budget_usd 0.0012 would be exceeded" in capsys.readouterr().err


def test_an_error_of_the_server_keeps_what_came(
    tmp_path: Path, path: Path, files: dict[str, ImageFile], server: ChatServer
) -> None:
    server.script.outcome = lambda image, attempt: 400 if len(server.log) > 2 else None
    model = model_of(tmp_path, server)
    model = model._replace(runtime=model.runtime.model_copy(update={"concurrency": 1}))
    with pytest.raises(InputError, match="status 400"):
        model.judge(session(path, by=model.name), files)
    assert len(read_judgements(path)) == 3


def test_no_grade_that_was_paid_for_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = judge_settings(Settings(**OPENAI_SETTINGS), JUDGE_PROMPT, None)
    assert fingerprint(judge_determinants(settings)) == "4c1ea83ea9e57bd0025bffaf"
    monkeypatch.setattr("text2image.collection.images.DECODING", 2)
    assert judge_determinants(settings)["decoding"] == 2


def test_no_grade_is_paid_for_a_file_that_is_not_the_images_any_more(
    tmp_path: Path, path: Path, files: dict[str, ImageFile], server: ChatServer
) -> None:
    model = model_of(tmp_path, server)
    judge = session(path, by=model.name)
    kept = Path(str(files["b"].path)).read_bytes()
    Image.new("RGB", (40, 30), "blue").save(str(files["b"].path))
    with pytest.raises(InputError, match=r"b\.png as data/catalog\.csv lists it"):
        model.judge(judge, files)
    assert not [row for row in read_if_any(path) if row.image_id == "b"]
    Path(str(files["b"].path)).write_bytes(kept)
    model.judge(judge, files)
    assert len(read_judgements(path)) == 4 and len(server.log) == 4, "what came before was kept"


def test_a_server_that_knows_no_forms_is_told_the_judges_in_words(
    tmp_path: Path,
    path: Path,
    files: dict[str, ImageFile],
    server: ChatServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []

    def check(body: dict[str, object]) -> str:
        if "response_format" in body:
            raise Refusal(400, "response_format is not supported")
        text, picture = body["messages"][0]["content"]  # type: ignore[index]
        asked.append(text["text"])
        return server.check_image(picture["image_url"]["url"])

    monkeypatch.setattr(server, "check_chat", check)
    model = model_of(tmp_path, server)
    model.judge(session(path, by=model.name), files)
    assert [row.relevance for row in read_judgements(path)] == [2] * 4
    assert len(asked) == 4 and all(
        '"enum": [0, 1, 2, 3]' in text and "Search query: " in text for text in asked
    )


def test_grades_that_could_not_be_read_are_read_again_without_asking(
    tmp_path: Path,
    path: Path,
    files: dict[str, ImageFile],
    server: ChatServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server.script.content = lambda image: '{"reason": "fits", "grade": "2"}'
    model = model_of(tmp_path, server)
    model.judge(session(path, by=model.name), files)
    assert not path.exists() and len(server.log) == 4
    monkeypatch.setattr("text2image.labels.openai.schema.READER", READER + 1)
    monkeypatch.setattr(
        "text2image.labels.openai.schema.read_message", lambda *_: {"grade": 2, "reason": "fits"}
    )
    model.judge(session(path, by=model.name), files)
    assert [row.relevance for row in read_judgements(path)] == [2] * 4
    assert len(server.log) == 4


def test_grades_that_were_not_taken_for_completions_are_read_again_without_asking(
    tmp_path: Path,
    path: Path,
    files: dict[str, ImageFile],
    server: ChatServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = model_of(tmp_path, server)
    slow = ModelJudge(model.settings, model.runtime.model_copy(update={"max_retries": 0}))
    with monkeypatch.context() as patch:  # as an earlier version, which does not know the form of the reply
        patch.setattr("text2image.labels.openai.service.completion_in", lambda raw: None)
        slow.judge(session(path, by=model.name), files)
    assert not path.exists() and len(server.log) == 4
    model.judge(session(path, by=model.name), files)
    assert [row.relevance for row in read_judgements(path)] == [2] * 4
    assert len(server.log) == 4


def test_what_a_kill_cost_counts_towards_the_judges_budget(
    tmp_path: Path,
    path: Path,
    files: dict[str, ImageFile],
    server: ChatServer,
    capsys: pytest.CaptureFixture[str],
) -> None:
    model = model_of(tmp_path, server, budget_usd=0.003)
    keys = [AskedPair(query.text, files[image]).key for query in POOL for image in query.images]
    with Store("judgements", judge_determinants(model.settings)) as store, Ledger(store) as ledger:
        for key in keys:
            ledger.send(key, (1000, 200))
    model.judge(session(path, by=model.name), files)
    assert not server.log and "stopped before judge.budget_usd 0.003" in capsys.readouterr().err
