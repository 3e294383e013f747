"""The label source ``openai`` against a real server on loopback: nothing lost, nothing paid for twice."""

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.chat_server import ChatServer, rolls, texts
from tests.support.workplace import Workplace, picture_id, sent_name
from text2image.base.console import InputError
from text2image.formats.tables import read_csv, write_csv


def flaky(image: str, attempt: int) -> Any:
    """Fail as a busy service does: 10 % 429, 5 % 500, 2 % dropped connections."""
    roll = rolls(image, attempt)
    return 429 if roll < 10 else 500 if roll < 15 else "drop" if roll < 17 else None


ODD = {17: "refused", 117: "refused", 57: "malformed answer", 157: "malformed answer"}


def odd() -> Callable[[str], Any]:
    """Answer with broken JSON or a refusal for one picture in a hundred each."""
    said: dict[str, Any] = {"refused": {"refusal": "I cannot."}, "malformed answer": '{"caption": "A pic'}
    names = {sent_name(number): said[reason] for number, reason in ODD.items()}
    return lambda image: names.get(image) or json.dumps(texts(image))


@pytest.mark.slow
def test_two_hundred_images_and_a_flaky_server(workplace: Workplace, server: ChatServer) -> None:
    workplace.images(200)
    server.script.outcome, server.script.content, server.script.delay = flaky, odd(), 0.05
    workplace.run()
    labelled, unlabelled = workplace.labels(), workplace.unlabelled()
    met = Counter(outcome for _, _, outcome in server.log)
    assert met[429] >= 10 and met[500] >= 3 and met["drop"] >= 1
    assert len(labelled) + len(unlabelled) == 200
    assert not labelled.keys() & unlabelled.keys()
    assert unlabelled == {picture_id(number): reason for number, reason in ODD.items()}
    assert set(server.finished.values()) == {1}, "no image is paid for twice"
    assert len(server.finished) == 200
    assert 8 < server.most_in_flight <= 16
    figures = workplace.metrics()
    assert (figures["requests"], figures["input_tokens"]) == (200, 80000)
    assert figures["cost_usd"] == pytest.approx(200 * (400 * 0.4 + 30 * 1.6) / 1e6, abs=1e-6)
    assert figures["without_label"] == {"malformed answer": 2, "refused": 2}
    cold = workplace.outputs()
    asked = len(server.log)
    workplace.run()
    assert workplace.outputs() == cold
    assert len(server.log) == asked
    workplace.speed(concurrency=1)
    assert list(workplace.labels()) == sorted(workplace.labels()), "whatever the order of arrival"


@pytest.mark.slow
def test_order_and_bytes_do_not_depend_on_arrival(workplace: Workplace, server: ChatServer) -> None:
    workplace.images(30)
    server.script.outcome, server.script.content = flaky, odd()
    workplace.run()
    first = workplace.outputs()
    for path in (workplace.root / ".cache" / "labels" / "openai").iterdir():
        path.unlink()
    server.attempts.clear()
    workplace.speed(concurrency=3)
    workplace.run()
    assert workplace.outputs() == first


def test_failures_are_asked_again_only_if_a_parameter_says_so(
    workplace: Workplace, server: ChatServer
) -> None:
    workplace.images(4)
    contents = iter(['{"caption": 3}', "", json.dumps({"caption": "x", "queries": ["y"]}), "no JSON"])
    server.script.content = lambda image: next(contents)
    workplace.speed(concurrency=1)
    workplace.run()
    assert sorted(workplace.unlabelled().values()) == ["empty answer", "malformed answer", "malformed answer"]
    server.script.content = lambda image: json.dumps({"caption": "x", "queries": ["y"]})
    workplace.run()
    assert workplace.metrics()["requests"] == 4
    workplace.set(retry_failures=True)
    workplace.run()
    assert not workplace.unlabelled()
    assert workplace.metrics()["requests"] == 7, "what the failures cost is not forgotten"


def test_the_choice_of_queries_and_prices_cost_nothing(workplace: Workplace, server: ChatServer) -> None:
    workplace.images(3)
    workplace.run()
    assert sorted(map(len, workplace.labels().values())) == [2, 2, 2]
    workplace.set(queries=["caption"], price_input_per_million=1.0)
    workplace.run()
    assert all(text.startswith("A picture") for (text,) in workplace.labels().values())
    assert len(server.log) == 3
    workplace.set(prompt="What is this?")
    workplace.run()
    assert len(server.log) == 6


def test_budget_stops_before_it_is_exceeded_and_goes_on(
    workplace: Workplace, server: ChatServer, capsys: pytest.CaptureFixture[str]
) -> None:
    workplace.images(40)
    server.script.usage = (5000, 100)
    prices = {"price_input_per_million": 10.0, "price_output_per_million": 100.0}
    each = (5000 * 10 + 100 * 100) / 1e6  # 0.06 USD
    workplace.set(budget_usd=0.61, max_tokens=100, **prices)
    workplace.run()
    assert "stopped before label.openai.budget_usd 0.61" in capsys.readouterr().err
    assert len(server.finished) == 10
    assert workplace.metrics()["cost_usd"] == pytest.approx(10 * each)
    assert Counter(workplace.unlabelled().values()) == {"not asked": 30}
    workplace.run()
    assert len(server.finished) == 10, "what is spent stays spent"
    workplace.set(budget_usd=1.5)
    workplace.run()
    assert len(server.finished) == 25
    assert set(server.finished.values()) == {1}
    workplace.estimate()
    said = capsys.readouterr().out
    assert "15 of 40 images not labelled yet" in said
    assert "about 0.90 USD, 1.50 USD spent" in said
    workplace.set(budget_usd=None, max_images=30)
    workplace.estimate()
    assert "5 of 30 images not labelled yet" in capsys.readouterr().out
    workplace.run()
    assert len(server.finished) == 30
    assert list(workplace.labels()) == sorted(map(picture_id, range(40)))[:30]


def test_estimate_needs_no_key_and_makes_no_request(
    workplace: Workplace,
    server: ChatServer,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    workplace.images(5)
    monkeypatch.delenv("OPENAI_API_KEY")
    workplace.set(base_url=None)
    workplace.estimate()
    assert "5 of 5 images not labelled yet" in capsys.readouterr().out
    assert not (workplace.root / "data" / "labels").exists()
    with pytest.raises(InputError, match="OPENAI_API_KEY"):
        workplace.run()
    monkeypatch.setenv("OPENAI_API_KEY", "sk-with-ünïcode")
    with pytest.raises(InputError, match="printable ASCII") as caught:
        workplace.run()
    assert "sk-with" not in str(caught.value)


@pytest.mark.slow
def test_two_runs_at_once_do_not_both_pay(workplace: Workplace, server: ChatServer) -> None:
    workplace.images(3)
    server.script.hold_after = 1
    stage = workplace.start()
    try:
        server.wait_until(lambda: "held" in {kind for kind, _, _ in server.log})
        with pytest.raises(InputError, match=r"found process \d+, which holds"):
            workplace.run()
    finally:
        stage.kill()
        stage.wait()


def test_a_source_without_a_label_ends_the_run_only_where_that_cannot_be_helped(
    workplace: Workplace, server: ChatServer, capsys: pytest.CaptureFixture[str]
) -> None:
    workplace.images(3)
    server.script.content = lambda image: {"refusal": "I cannot."}
    with pytest.raises(
        InputError, match=r"the only one in use, found none for 3 images \(3: refused\); add a source"
    ):
        workplace.run()
    workplace.params["label"]["sources"] = ["openai", "human"]
    workplace.set()
    workplace.run()
    assert (workplace.labels(), workplace.metrics()["pairs"]) == ({}, 0)
    assert workplace.metrics()["without_label"] == {"refused": 3}
    assert "no image has a label (3: refused): nothing is measured on this source" in capsys.readouterr().err


def test_without_an_answer_that_lasts_the_next_run_asks_again(
    workplace: Workplace, server: ChatServer
) -> None:
    workplace.images(2)
    workplace.params["label"]["sources"] = ["openai", "human"]
    workplace.set()
    workplace.speed(max_retries=0)
    server.script.outcome = lambda image, attempt: 500
    with pytest.raises(
        InputError, match=r"found none for 2 images \(2: no answer after 1 attempts.*`dvc repro` asks again"
    ):
        workplace.run()
    server.script.outcome = lambda image, attempt: None
    workplace.run()
    assert len(workplace.labels()) == 2


def test_what_was_paid_for_stays_where_colours_alone_are_rendered_otherwise(
    workplace: Workplace, server: ChatServer
) -> None:
    workplace.images(4)
    workplace.run()
    labels = workplace.labels()
    manifest = workplace.root / "data" / "manifest.csv"
    rows = read_csv(manifest, ["image_id", "path"])

    def render_as(rendering: str) -> None:
        columns = ("image_id", "path", "rendering")
        write_csv(manifest, columns, [(row["image_id"], row["path"], rendering) for row in rows])

    render_as("icc1")
    workplace.run()
    assert len(server.log) == 4 and workplace.labels() == labels
    render_as("bits1")
    with pytest.raises(
        InputError, match="another version of this program"
    ):  # for these files hold no such pixels
        workplace.run()
