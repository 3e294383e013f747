"""Hostile servers: one sentence each, within the stated time and memory, and no answer that was paid for is lost."""

import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psutil
import pytest

from tests.support.chat_handler import KEY
from tests.support.hostile import FAST, SLOW, HostileServer, Mode
from tests.support.workplace import Workplace, picture_id
from text2image.base.console import InputError
from text2image.base.store import Store
from text2image.labels.openai.ledger import Ledger
from text2image.labels.openai.reading import READER, read_message
from text2image.labels.openai.source import Source
from text2image.labels.protocol.answers import all_determinants
from text2image.params import load_params

GROWTH = 300 * 2**20  # bytes that a run may take more, while a server does its worst
TIMEOUT = 0.5
LONGEST = (
    3 * (TIMEOUT + 2.0) + 5.0
)  # seconds: three tries of two images side by side, the waits between, and a slow machine
PRICES = 0.4, 1.6


@contextmanager
def memory_watched() -> Iterator[None]:
    """Fail if this process takes much more memory while a block runs."""
    process, over = psutil.Process(), threading.Event()
    before = most = process.memory_info().rss

    def watch() -> None:
        nonlocal most
        while not over.wait(0.02):
            most = max(most, process.memory_info().rss)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()
    assert most - before < GROWTH


def counted_usd(workplace: Workplace) -> tuple[float, int]:
    """Return what stored answers and the ledger count together, and how many raw answers are kept."""
    source = Source(load_params(workplace.root / "params.yaml").label.openai)
    determinants = all_determinants(source)
    keys = [picture_id(0), picture_id(1)]
    with Store("labels/openai", determinants) as store:
        answers = [json.loads(value) for _, value in store.get(keys)]
        lost = Ledger(store).unanswered(keys)
    tokens = [(a["usage"]["input_tokens"], a["usage"]["output_tokens"]) for a in answers]
    tokens += [(sent.input_tokens, sent.output_tokens) for sent in lost]
    raws = sum("raw" in answer for answer in answers) + sum(sent.raw is not None for sent in lost)
    return sum(tokens_in * PRICES[0] + tokens_out * PRICES[1] for tokens_in, tokens_out in tokens) / 1e6, raws


def check(mode: Mode, workplace: Workplace, capsys: pytest.CaptureFixture[str]) -> None:
    """Run against a server in a mode, and hold the outcome against the table."""
    with HostileServer(mode) as server:
        workplace.images(2)
        workplace.set(base_url=server.base_url, budget_usd=1.0)
        workplace.speed(timeout=TIMEOUT, max_retries=2, concurrency=2)
        start = time.monotonic()
        with memory_watched():
            if mode.label is None:
                with pytest.raises(InputError, match=mode.error) as caught:
                    workplace.run()
                sentence = str(caught.value)
                assert "\n" not in sentence and len(sentence) < 800 and sentence.isprintable()
                assert KEY not in sentence
            else:
                workplace.run()
                assert list(workplace.labels().values()) == [[mode.label]] * 2
        assert time.monotonic() - start < LONGEST
        assert 1 <= len(server.bodies) <= mode.most
        worked = server.worked
    console = capsys.readouterr().err
    assert re.search(mode.said, console) and "Traceback" not in console and KEY not in console
    assert all(KEY.encode() not in path.read_bytes() for path in workplace.root.rglob("*") if path.is_file())
    usd, raws = counted_usd(workplace)
    assert usd >= worked * (500 * PRICES[0] + 60 * PRICES[1]) / 1e6 - 1e-12
    if mode.label is not None or re.match(r"2: |unreadable", mode.error):
        assert raws == worked, "all that came is kept"


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("text2image.labels.openai.ask.backoff", lambda attempt: 0.01)


@pytest.mark.parametrize("mode", FAST, ids=lambda mode: mode.name)
def test_a_hostile_server(mode: Mode, workplace: Workplace, capsys: pytest.CaptureFixture[str]) -> None:
    check(mode, workplace, capsys)


@pytest.mark.slow
@pytest.mark.parametrize("mode", SLOW, ids=lambda mode: mode.name)
def test_a_slow_server(mode: Mode, workplace: Workplace, capsys: pytest.CaptureFixture[str]) -> None:
    check(mode, workplace, capsys)


def test_the_table_is_as_long_as_it_should_be() -> None:
    modes = [*FAST, *SLOW]
    assert len(modes) >= 40 and len({mode.name for mode in modes}) == len(modes)


def test_where_nobody_answers_the_system_is_quoted(
    workplace: Workplace, capsys: pytest.CaptureFixture[str]
) -> None:
    with HostileServer(FAST[0]) as server:
        address = server.base_url
    workplace.images(20)
    workplace.set(base_url=address)
    workplace.speed(concurrency=8)
    with pytest.raises(InputError, match=r"no connection: .*(refused|failed)"):
        workplace.run()
    assert "had to ask again after 10 × no connection" in capsys.readouterr().err
    assert counted_usd(workplace) == (0.0, 0), "nothing was sent"


def test_a_key_that_is_no_secret_stays_in_texts(
    workplace: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "red")
    with HostileServer(FAST[0]) as server:
        workplace.images(1)
        workplace.set(base_url=server.base_url)
        workplace.run()
    assert list(workplace.labels().values()) == [["red running shoes"]]


def test_what_could_not_be_read_is_read_again_without_asking(
    workplace: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a reader of a later version, which reads what this one does not: here, an answer in thoughts."""
    thoughts = next(mode for mode in FAST if mode.name == "the answer in reasoning_content")
    with HostileServer(thoughts) as server:
        workplace.images(2)
        workplace.params["label"]["sources"] = ["openai", "human"]
        workplace.set(base_url=server.base_url)
        workplace.run()
        assert set(workplace.unlabelled().values()) == {"thoughts without an answer"}
        cost = workplace.metrics()["cost_usd"]

        def better(message: dict[str, Any], *arguments: Any) -> dict[str, Any]:
            return read_message({"content": message["reasoning_content"]}, *arguments)

        monkeypatch.setattr("text2image.labels.openai.schema.READER", READER + 1)
        monkeypatch.setattr("text2image.labels.openai.schema.read_message", better)
        workplace.run()
        assert list(workplace.labels().values()) == [["red running shoes"]] * 2
        assert workplace.metrics()["cost_usd"] == cost
        assert len(server.bodies) == 2
