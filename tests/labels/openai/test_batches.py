"""The label source ``openai`` in batches: submitted once, whatever happens in between."""

import gzip
import json
import os
import re
import signal
from collections import Counter
from typing import Any

import pytest

from tests.support.chat_handler import Handler
from tests.support.chat_server import ChatServer, texts
from tests.support.workplace import Workplace, picture_id, sent_name
from text2image.base.console import InputError
from text2image.base.store import Store
from text2image.labels.openai.batches import files
from text2image.labels.openai.batches.pending import PendingBatches
from text2image.labels.openai.source import Source
from text2image.labels.protocol.answers import all_determinants
from text2image.params import load_params


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


@pytest.mark.parametrize(
    ("download", "found"),
    [
        ((200, b"x" * 300_000, {}), "an answer that is larger than any may be"),
        ((200, gzip.compress(b"\n" * 300_000), {"Content-Encoding": "gzip"}), "an answer that is larger than any may be"),
        ((302, b"", {"Location": "http://localhost/elsewhere"}), "a redirect to http://localhost/elsewhere"),
        ((404, b'{"detail": "no such file"}', {}), "status 404: no such file"),
    ],
)  # fmt: skip
def test_a_hostile_download_is_one_sentence_and_the_batch_stays_remembered(
    workplace: Workplace, server: ChatServer, monkeypatch: pytest.MonkeyPatch, download: Any, found: str
) -> None:
    monkeypatch.setattr("text2image.labels.openai.transport.FILE_BYTES", 200_000)
    workplace.images(3)
    workplace.set(mode="batch")
    workplace.speed(max_retries=1)
    server.script.download = download
    with pytest.raises(InputError, match=re.escape(found)) as caught:
        workplace.run()
    assert "\n" not in str(caught.value)
    server.script.download = None
    workplace.run()
    assert len(workplace.labels()) == 3
    assert len(server.batches) == 1 and set(server.finished.values()) == {1}


@pytest.mark.parametrize("reply", [None, "<html>", {}], ids=str)
@pytest.mark.parametrize(
    "method", ["POST /v1/files", "POST /v1/batches", "GET /v1/batches/", "GET /v1/batches?"]
)
def test_what_is_no_reply_of_the_service_is_one_sentence_and_no_batch_is_submitted_twice(
    workplace: Workplace, server: ChatServer, monkeypatch: pytest.MonkeyPatch, method: str, reply: Any
) -> None:
    """A page of a proxy, say: a batch of which nobody knows whether it was taken or has ended is not forgotten."""
    workplace.images(2)
    workplace.set(mode="batch")
    workplace.speed(max_retries=1)
    whole, swapped = Handler.reply, [True]

    def swap(handler: Handler, status: int, body: Any, headers: Any = None) -> None:
        about = f"{handler.command} {handler.path}"
        other = swapped[0] and about.startswith(method) and (status, body) != (404, None)
        whole(handler, status, reply if other else body, headers)

    monkeypatch.setattr(Handler, "reply", swap)
    monkeypatch.setattr("text2image.labels.openai.batches.service.backoff", lambda attempt: 0.0)
    if method == "GET /v1/batches?":  # that is asked after a kill
        server.script.batches = ["hang"]
        workplace.speed(timeout=0.3, max_retries=1)
    if method == "POST /v1/batches":  # it is found where batches are listed
        workplace.run()
    else:
        with pytest.raises(InputError, match="to serve batches, found unreadable answer 2 times") as caught:
            workplace.run()
        assert "\n" not in str(caught.value)
    swapped[0] = False
    workplace.run()
    assert len(workplace.labels()) == 2
    assert len(server.batches) == 1


@pytest.mark.parametrize("errors", ["x", {"data": "x"}, {"data": [1]}, {"data": [{"message": 5}]}], ids=str)
def test_errors_of_another_form_are_one_sentence(
    workplace: Workplace, server: ChatServer, monkeypatch: pytest.MonkeyPatch, errors: Any
) -> None:
    workplace.images(2)
    workplace.set(mode="batch")
    workplace.speed(max_retries=0)
    server.script.batches = ["fail"]
    monkeypatch.setattr("text2image.labels.openai.batches.service.backoff", lambda attempt: 0.0)
    whole = server.new_batch
    monkeypatch.setattr(server, "new_batch", lambda body: _with(whole(body), errors))
    with pytest.raises(InputError, match="to serve batches, found unreadable answer 1 times"):
        workplace.run()


def _with(batch: dict[str, Any], errors: Any) -> dict[str, Any]:
    batch["errors"] = errors
    return batch


def test_a_batch_in_a_status_of_a_later_service_is_waited_for(
    workplace: Workplace, server: ChatServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    workplace.images(2)
    workplace.set(mode="batch")
    whole = Handler.reply

    def renamed(handler: Handler, status: int, body: Any, headers: Any = None) -> None:
        later = isinstance(body, dict) and body.get("status") == "in_progress"
        whole(handler, status, body | {"status": "queued"} if later else body, headers)

    monkeypatch.setattr(Handler, "reply", renamed)
    server.script.polls = 2
    workplace.run()
    assert len(workplace.labels()) == 2
    assert len(server.batches) == 1


@pytest.mark.parametrize("content", [b"", b"[", b"{}", b"[1]", b'[["t", ["k"], 5]]', b"\xff", b"[" * 100_000])
def test_a_damaged_list_of_open_batches_is_one_sentence_and_stays(
    workplace: Workplace, server: ChatServer, content: bytes
) -> None:
    workplace.images(2)
    workplace.set(mode="batch")
    path = PendingBatches(all_determinants(Source(load_params().label.openai))).path
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    with pytest.raises(
        InputError, match="expected the batches that were submitted and not collected yet in"
    ) as caught:
        workplace.run()
    assert "\n" not in str(caught.value)
    assert path.read_bytes() == content
    assert not server.batches


def test_lines_that_are_longer_than_an_answer_may_be_are_left_out(
    workplace: Workplace, server: ChatServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("text2image.labels.openai.batches.service.ANSWER_BYTES", 2000)
    workplace.images(4)
    workplace.set(mode="batch")
    workplace.speed(max_retries=0)
    long = sent_name(2)
    server.script.content = lambda image: json.dumps(texts(image)) + " " * 3000 * (image == long)
    workplace.run()
    assert workplace.unlabelled() == {picture_id(2): "missing in its batch"}
    assert len(workplace.labels()) == 3


def test_what_came_in_a_batch_is_kept(workplace: Workplace, server: ChatServer) -> None:
    workplace.images(2)
    workplace.set(mode="batch")
    workplace.run()
    source = Source(load_params().label.openai)
    with Store("labels/openai", all_determinants(source)) as store:
        answers = [json.loads(value) for _, value in store.get([picture_id(0), picture_id(1)])]
    assert all(json.loads(answer["raw"])["usage"]["prompt_tokens"] == 400 for answer in answers)


NO_SCHEMA = "'response_format.type' must be one of 'json_object' and 'text'"


def refuse_in_turn(body: dict[str, Any]) -> str | None:
    """Take neither a schema, nor the newer name of the limit, nor a detail, and say one of it at a time."""
    if body.get("response_format", {}).get("type") == "json_schema":
        return NO_SCHEMA
    if "max_tokens" in body:
        return "Unsupported parameter: 'max_tokens'"
    detailed = "detail" in body["messages"][0]["content"][1]["image_url"]
    return "Unknown parameter: 'messages[0].content[1].image_url.detail'" if detailed else None


def anyhow(server: ChatServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a server take requests however they are put."""

    def check(body: Any) -> str:
        return server.check_image(body["messages"][0]["content"][1]["image_url"]["url"])

    monkeypatch.setattr(server, "check_chat", check)


def test_a_batch_whose_requests_are_all_refused_as_they_are_put_is_put_otherwise(
    workplace: Workplace,
    server: ChatServer,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    anyhow(server, monkeypatch)
    workplace.images(5)
    workplace.set(mode="batch", detail="low")
    monkeypatch.setattr(files, "MAX_REQUESTS", 3)
    server.script.refuse = refuse_in_turn
    workplace.run()
    assert len(workplace.labels()) == 5 and not workplace.unlabelled()
    assert [batch["images"] for batch in server.batches.values()] == [3, 2] * 4
    assert set(server.finished.values()) == {1} and workplace.metrics()["requests"] == 5
    said = capsys.readouterr().err
    assert f"does not take response_format json_schema; asked with json_object from now on (rejected by the service (status 400: {NO_SCHEMA}" in said  # fmt: skip
    assert said.count("does not take") == 3, "each once"
    for key in ("runtime.openai.response_format", "runtime.openai.token_limit", "label.openai.detail"):
        assert f"(params key {key})" in said


def test_a_batch_that_fails_as_a_whole_for_how_it_is_put_is_put_otherwise(
    workplace: Workplace, server: ChatServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    anyhow(server, monkeypatch)
    workplace.images(3)
    workplace.set(mode="batch")
    server.script.batches, server.script.why_failed = ["fail"], NO_SCHEMA
    workplace.run()
    assert len(workplace.labels()) == 3 and len(server.batches) == 2


def test_requests_refused_where_others_are_answered_are_not_put_otherwise(
    workplace: Workplace, server: ChatServer
) -> None:
    workplace.images(4)
    workplace.set(mode="batch")
    refused = iter([NO_SCHEMA, None, NO_SCHEMA, None])
    server.script.refuse = lambda body: next(refused)
    workplace.run()
    assert len(workplace.labels()) == 2 and len(server.batches) == 1
    assert set(workplace.unlabelled().values()) == {f"rejected by the service (status 400: {NO_SCHEMA})"}


def test_a_way_that_is_set_and_refused_is_one_sentence_that_names_what_sets_it(
    workplace: Workplace, server: ChatServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    anyhow(server, monkeypatch)
    workplace.images(3)
    workplace.set(mode="batch")
    workplace.speed(response_format="json_schema")
    server.script.refuse = lambda body: NO_SCHEMA if "json_schema" in body["response_format"] else None
    with pytest.raises(
        InputError, match=r"json_object.*\(params key runtime\.openai\.response_format\)"
    ) as caught:
        workplace.run()
    assert "\n" not in str(caught.value)
    workplace.speed(response_format="json_object")
    workplace.run()
    assert len(workplace.labels()) == 3 and set(server.finished.values()) == {1}


def test_a_refused_batch_of_a_run_that_was_killed_is_put_otherwise_by_the_next(
    workplace: Workplace, server: ChatServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    anyhow(server, monkeypatch)
    workplace.images(4)
    workplace.set(mode="batch")
    server.script.refuse = refuse_in_turn

    def killed(run: object, *arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("text2image.labels.openai.batches.run.BatchRun.collect", killed)
        with pytest.raises(KeyboardInterrupt):
            workplace.run()
    workplace.run()
    assert len(workplace.labels()) == 4 and set(server.finished.values()) == {1}
