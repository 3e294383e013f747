"""The label source ``openai`` in batches: submitted once, whatever happens in between."""

import os
import signal
from collections import Counter
from typing import Any

import pytest

from tests.support.chat_server import ChatServer
from tests.support.workplace import Workplace
from text2image.base.console import InputError
from text2image.base.store import Store
from text2image.labels.openai.batches import files


def test_a_batch_is_submitted_once_and_costs_half(workplace: Workplace, server: ChatServer) -> None:
    workplace.images(25)
    workplace.set(mode="batch")
    workplace.run()
    assert [kind for kind, _, _ in server.log].count("batch") == 1
    assert len(workplace.labels()) == 25
    figures = workplace.metrics()
    assert figures["cost_usd"] == pytest.approx(25 * (400 * 0.4 + 30 * 1.6) / 2e6, abs=1e-6)
    outputs = workplace.outputs()
    workplace.set(mode="sync")
    workplace.run()
    assert set(server.finished.values()) == {1}
    assert workplace.outputs() == outputs


def test_batches_split_at_the_services_limits(
    workplace: Workplace, server: ChatServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    workplace.images(25)
    workplace.set(mode="batch")
    monkeypatch.setattr(files, "MAX_REQUESTS", 10)
    workplace.run()
    assert [batch["images"] for batch in server.batches.values()] == [10, 10, 5]
    workplace.set(prompt="Anew")
    monkeypatch.setattr(files, "MAX_BYTES", 12_000)
    workplace.run()
    sizes = [len(server.files[batch["input_file_id"]]) for batch in server.batches.values()][3:]
    assert len(sizes) > 3 and max(sizes) <= 12_000
    assert set(server.finished.values()) == {2}


@pytest.mark.slow
def test_a_batch_survives_kills(workplace: Workplace, server: ChatServer) -> None:
    """Killed before the service's answer came, then while waiting: both times the same batch goes on."""
    workplace.images(8)
    workplace.set(mode="batch")
    server.script.batches, server.script.polls = ["hang"], 10**9
    for moment in ("batch", "poll"):
        stage = workplace.start()
        server.wait_until(lambda moment=moment: moment in {kind for kind, _, _ in server.log})  # type: ignore[misc]
        os.kill(stage.pid, signal.SIGKILL)
        stage.wait()
    workplace.set(mode="sync")
    with pytest.raises(InputError, match="expected at least one label"):
        workplace.run()
    workplace.set(mode="batch")
    server.script.polls = 0
    workplace.run()
    assert len(workplace.labels()) == 8
    assert len(server.batches) == 1
    assert set(server.finished.values()) == {1}
    assert not [kind for kind, _, _ in server.log if kind == "chat"]


def test_a_kill_before_the_batch_was_created_submits_it_anew(
    workplace: Workplace, server: ChatServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    from text2image.labels.openai.batches.run import BatchRun

    workplace.images(3)
    workplace.set(mode="batch")

    def killed(run: BatchRun, *arguments: object) -> str:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(BatchRun, "_create", killed)
        with pytest.raises(KeyboardInterrupt):
            workplace.run()
    workplace.run()
    assert len(workplace.labels()) == 3
    assert len(server.batches) == 1


def test_an_expired_and_a_partly_failed_batch(workplace: Workplace, server: ChatServer) -> None:
    workplace.images(16)
    workplace.set(mode="batch")
    server.script.batches = ["expire", "partly"]
    workplace.run()
    assert [batch["images"] for batch in server.batches.values()] == [16, 8, 2]
    assert Counter(workplace.unlabelled().values()) == {"rejected by the service (status 400)": 2}
    assert len(workplace.labels()) == 14
    assert set(server.finished.values()) == {1}


def test_a_failed_batch_is_one_sentence_and_submitted_anew_by_the_next_run(
    workplace: Workplace, server: ChatServer
) -> None:
    workplace.images(4)
    workplace.set(mode="batch")
    server.script.batches = ["fail"]
    with pytest.raises(InputError, match="batch_0 failed: Enqueued token limit reached"):
        workplace.run()
    workplace.run()
    assert len(workplace.labels()) == 4


def test_a_budget_holds_for_batches(workplace: Workplace, server: ChatServer) -> None:
    workplace.images(40)
    workplace.set(mode="batch", budget_usd=0.002, max_tokens=100)
    workplace.run()
    assert 0.001 < workplace.metrics()["cost_usd"] <= 0.002
    assert set(server.finished.values()) == {1}
    workplace.set(budget_usd=1.0)
    workplace.run()
    assert len(workplace.labels()) == 40
    assert set(server.finished.values()) == {1}


def test_a_run_stopped_while_it_collects_counts_nothing_twice(
    workplace: Workplace, server: ChatServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    workplace.images(6)
    workplace.set(mode="batch")
    put, left = Store.put, iter(range(3))

    def stopping(store: Store, items: Any) -> None:
        if next(left, None) is None:
            raise KeyboardInterrupt
        put(store, items)

    with monkeypatch.context() as patch:
        patch.setattr(Store, "put", stopping)
        with pytest.raises(KeyboardInterrupt):
            workplace.run()
    workplace.run()
    assert len(workplace.labels()) == 6
    assert workplace.metrics()["requests"] == 6
    assert len(server.batches) == 1
