"""What was sent and not answered counts, whatever ended the run."""

import json
import os
import random
import sqlite3
import sys
import time
from contextlib import closing
from functools import partial

import pytest

from tests.support.chat_server import ChatServer
from tests.support.forking import Forker
from tests.support.hostile import HostileServer, Mode, blanks_without_end, body
from tests.support.long_form import SEED, announced, cases
from tests.support.workplace import PEAK, Workplace, picture_id, sent_name
from text2image.base.console import InputError
from text2image.base.store import Store
from text2image.collection.manifest import read_gallery
from text2image.labels.openai.budget import Tokens, cost
from text2image.labels.openai.ledger import Ledger, Sent
from text2image.labels.openai.settings import Settings
from text2image.labels.openai.source import Source
from text2image.labels.protocol.answers import all_determinants, stored_answers
from text2image.params import load_params

PRICES = {"price_input_per_million": 10.0, "price_output_per_million": 100.0}
KILLS = cases(10)
EACH = (400 * 10 + 30 * 100) / 1e6  # USD, what a request really costs


def settings(workplace: Workplace) -> Settings:
    workplace.set(**PRICES)
    return load_params(workplace.root / "params.yaml").label.openai


def ledger_of(determinants: object) -> Ledger:
    with Store("labels/openai", determinants) as store:
        return Ledger(store)


def test_what_is_sent_is_written_down_until_it_is_settled(workplace: Workplace) -> None:
    priced = settings(workplace)
    with ledger_of({"a": 1}) as ledger:
        assert not ledger.path.exists()
        first, second = ledger.send("x", (100, 10)), ledger.send("y", (200, 20))
        ledger.keep(second, "<html>")
        again = ledger_of({"a": 1})
        assert again.unanswered({"x", "y"}) == [Sent("x", 100, 10), Sent("y", 200, 20, "<html>")]
        assert again.cost(priced, {"y"}) == pytest.approx((200 * 10 + 20 * 100) / 1e6)
        ledger.settle(first)
        ledger.reconcile([second, "unknown"])
    assert ledger_of({"a": 1}).unanswered({"x", "y"}) == []


def test_half_lines_and_nonsense_in_a_ledger_are_no_requests(workplace: Workplace) -> None:
    with ledger_of({}) as ledger:
        ledger.send("x", (100, 10))
    with ledger.path.open("ab") as file:
        file.write(
            b'\n["half", ["y", 1\n[1, 2]\n["n", ["z", "1", 2]]\n{}\n\xff\x00\n[["list"], null]\n["w", ["w", 5, 5]]'
        )
    with ledger_of({}) as again:
        assert {sent.key for sent in again.unanswered({"x", "y", "z", "w"})} == {"x", "w"}
        again.send("v", (1, 1))
    assert len(ledger_of({}).unanswered({"v", "w", "x"})) == 3


def test_a_ledger_that_cannot_be_read_is_one_sentence_and_nothing_is_sent(
    workplace: Workplace, server: ChatServer
) -> None:
    workplace.images(1)
    workplace.run()
    asked = len(server.log)
    for path in workplace.root.rglob("*.sent.jsonl"):
        path.unlink()
        path.mkdir()
    workplace.images(2)
    with pytest.raises(InputError, match=r"what was sent and has no answer yet, found: Is a directory"):
        workplace.run()
    assert len(server.log) == asked


def test_nothing_is_sent_that_cannot_be_written_down(
    workplace: Workplace, server: ChatServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    workplace.images(2)

    def full(*arguments: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("text2image.labels.openai.ledger.os.write", full)
    with pytest.raises(InputError, match=r"before anything is sent, found: .*No space left") as caught:
        workplace.run()
    assert "\n" not in str(caught.value) and not server.log


def test_a_request_without_an_answer_counts_in_later_runs(
    workplace: Workplace, server: ChatServer, capsys: pytest.CaptureFixture[str]
) -> None:
    workplace.images(3)
    workplace.set(max_tokens=100, budget_usd=1.0, **PRICES)
    workplace.speed(timeout=0.3, max_retries=0)
    server.script.outcome = lambda image, attempt: "slow" if image == sent_name(1) else None
    workplace.run()
    workplace.estimate()
    assert "at most for requests whose answers were lost" in capsys.readouterr().out
    workplace.set(budget_usd=0.03)  # for the third, if only the two that came had cost anything
    server.script.outcome = lambda image, attempt: None
    workplace.run()
    assert len(workplace.labels()) == 2, "the lost one may have cost the rest"
    said = capsys.readouterr().err
    assert "count as 0.01" in said and "stopped before label.openai.budget_usd" in said
    workplace.set(budget_usd=1.0)
    workplace.run()
    assert len(workplace.labels()) == 3


def test_a_kill_between_an_answers_storing_and_its_settling_counts_it_once(
    workplace: Workplace, server: ChatServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:  # fmt: skip
    workplace.images(3)
    workplace.set(**PRICES)
    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "settle", lambda ledger, name: None)
        workplace.run()
    workplace.images(4)
    workplace.run()
    assert len(server.log) == 4
    assert "answers were lost" not in capsys.readouterr().err


@pytest.mark.slow
def test_the_budget_holds_over_kills(workplace: Workplace, server: ChatServer) -> None:
    """The server counts all that was sent, and nothing that came is paid for again."""
    print(announced(f"{KILLS} kills"))
    chance, budget = random.Random(SEED), 0.06 * KILLS
    workplace.images(15 * KILLS)
    workplace.set(max_tokens=60, budget_usd=budget, **PRICES)
    workplace.speed(concurrency=4)
    server.script.delay = 0.03

    def reached(requests: int) -> bool:
        return server.attempts.total() >= requests

    with Forker(workplace.root) as runs:
        for _ in range(KILLS):
            run = runs.start()
            server.wait_until(partial(reached, server.attempts.total() + chance.randint(2, 5)))
            runs.kill(run)
        stored = len(server.finished)
        runs.start()
        assert os.WEXITSTATUS(runs.wait()) == 0
    time.sleep(0.1)
    spent = server.attempts.total() * EACH
    assert budget / 2 < spent <= budget, "all of it counts, and not much more than all of it"
    assert stored < len(server.finished) < 15 * KILLS
    asked_again = sum(count - 1 for count in server.attempts.values())
    assert asked_again <= KILLS * 4, "only what was in flight at a kill"


def test_lines_that_a_batch_lacks_count(
    workplace: Workplace, server: ChatServer, capsys: pytest.CaptureFixture[str]
) -> None:
    workplace.images(6)
    workplace.set(mode="batch", budget_usd=1.0, **PRICES)
    server.script.batches = ["lose"]
    workplace.run()
    assert len(workplace.labels()) == 6 and server.finished.total() == 9
    workplace.estimate()
    said = capsys.readouterr().out
    spent = float(said.split(" USD spent")[0].split()[-1])
    assert spent >= 9 * EACH / 2


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="limits of memory are POSIX's")
def test_a_gigabyte_in_a_megabyte_is_cut_off(workplace: Workplace) -> None:
    packed = blanks_without_end(1024)
    assert len(packed) < 2 * 2**20
    mode = Mode("a bomb of a gigabyte", body(packed, Content_Encoding="gzip"))
    with HostileServer(mode) as server:
        workplace.images(4)
        workplace.set(base_url=server.base_url)
        workplace.speed(concurrency=4, max_retries=0)
        stage = workplace.start("-c", PEAK)
        output = stage.communicate()[0]
    assert stage.returncode == 1
    assert "an answer that is larger than any may be" in output and "Traceback" not in output
    assert int(output.rpartition("peak ")[2]) < 2**30


def test_old_answers_stay_as_they_are(workplace: Workplace, server: ChatServer) -> None:
    """Answers from before what came was kept: no ``raw``, no ``reader``."""
    workplace.images(2)
    workplace.run()
    determinants = all_determinants(Source(load_params().label.openai))
    with Store("labels/openai", determinants) as store:
        keys = sorted(picture_id(number) for number in range(2))
        assert not store.missing(keys)
        usage = {"input_tokens": 400, "output_tokens": 30}
        old = [
            {"caption": "c", "queries": ["old words", "query 1"], "usage": usage},
            {"failure": "malformed answer", "usage": usage},
        ]
        store.put((key, json.dumps(answer).encode()) for key, answer in zip(keys, old, strict=True))
    workplace.run()
    assert list(workplace.labels().values()) == [["old words"]]
    assert sorted(workplace.unlabelled().values()) == ["malformed answer", "text copied from the form"]
    assert len(server.log) == 2


def test_all_that_came_for_an_image_stays_when_it_is_asked_again(
    workplace: Workplace, server: ChatServer
) -> None:
    workplace.images(1)
    workplace.params["label"]["sources"] = ["openai", "human"]
    for said in ("no", "no, really", json.dumps({"caption": "c", "queries": ["words"]})):
        server.script.content = lambda image, said=said: said  # type: ignore[misc]
        workplace.set(retry_failures=True)
        workplace.run()
    with Store("labels/openai", all_determinants(Source(load_params().label.openai))) as store:
        ((_, value),) = store.get([picture_id(0)])
    answer = json.loads(value)
    raws = [answer["raw"], *(usage["raw"] for usage in answer["earlier"])]
    assert [json.loads(raw)["choices"][0]["message"]["content"] for raw in raws][1:] == ["no, really", "no"]
    (answer,) = stored_answers_of(workplace).values()
    assert "raw" not in str(answer), "which is not held in memory for every image"
    assert workplace.metrics()["requests"] == 3


def stored_answers_of(workplace: Workplace) -> dict[str, dict[str, object]]:
    source = Source(load_params().label.openai)
    images = read_gallery(workplace.root / "data" / "manifest.csv", "images")
    with Store("labels/openai", all_determinants(source)) as store:
        return stored_answers(store, source, images)


def reader_of_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have this process take no reply for a completion, as an earlier version takes none of a form that it does not know."""
    monkeypatch.setattr("text2image.labels.openai.service.completion_in", lambda raw: None)
    monkeypatch.setattr("text2image.labels.openai.batches.files.is_completion", lambda body: False)


@pytest.mark.parametrize("mode", ["sync", "batch"])
def test_a_reply_that_was_not_taken_for_a_completion_is_read_by_a_later_reader_without_asking(
    workplace: Workplace, server: ChatServer, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    workplace.images(3)
    workplace.set(mode=mode, **PRICES)
    workplace.speed(max_retries=0)
    with monkeypatch.context() as patch:
        reader_of_nothing(patch)
        with pytest.raises(InputError, match=r"found none for 3 images .*unreadable answer"):
            workplace.run()
    asked = len(server.log)
    workplace.run()
    assert len(server.log) == asked and set(server.finished.values()) == {1}
    assert len(workplace.labels()) == 3
    assert workplace.metrics()["cost_usd"] == pytest.approx(3 * EACH), (
        "what was reported, and no more the most"
    )
    with Store("labels/openai", all_determinants(Source(load_params().label.openai))) as store:
        assert Ledger(store).unanswered(set(map(picture_id, range(3)))) == []


def test_a_kill_while_replies_are_read_again_counts_none_twice(
    workplace: Workplace, server: ChatServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    workplace.images(3)
    workplace.set(**PRICES)
    workplace.speed(max_retries=1)
    with monkeypatch.context() as patch:
        reader_of_nothing(patch)
        with pytest.raises(InputError, match="unreadable answer"):
            workplace.run()
    assert server.finished.total() == 6

    def killed(ledger: Ledger, name: str) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "settle", killed)
        with pytest.raises(KeyboardInterrupt):
            workplace.run()
    workplace.run()
    assert server.finished.total() == 6 and len(workplace.labels()) == 3
    with Store("labels/openai", all_determinants(Source(load_params().label.openai))) as store:
        lost = Ledger(store).unanswered(set(map(picture_id, range(3))))
    assert len(lost) == 3, "of each image the one that is no answer now"


def damage_answers(workplace: Workplace, old: bytes, new: bytes) -> None:
    """Exchange bytes of all stored answers, as a fault of the disk would."""
    (path,) = (workplace.root / ".cache" / "labels" / "openai").glob("*.sqlite")
    with closing(sqlite3.connect(path)) as db, db:
        for row, value in db.execute("SELECT rowid, value FROM results").fetchall():
            assert old in value
            db.execute("UPDATE results SET value = ? WHERE rowid = ?", (value.replace(old, new), row))


@pytest.mark.parametrize("mode", ["sync", "batch"])
def test_damaged_answers_count_towards_the_budget(
    workplace: Workplace, server: ChatServer, capsys: pytest.CaptureFixture[str], mode: str
) -> None:
    """They were paid for, and are paid for again only as far as the budget goes."""
    workplace.images(4)
    workplace.set(max_tokens=60, max_side=64, budget_usd=6 * EACH, mode=mode, **PRICES)
    workplace.run()
    assert server.finished.total() == 4
    damage_answers(workplace, b'"caption"', b'"kaption"')
    with pytest.raises(InputError, match="4: not asked"):
        workplace.run()
    said = capsys.readouterr().err
    assert "stopped before label.openai.budget_usd" in said and "found damage to 4, such as" in said
    assert server.finished.total() == 4, "all that was ever paid for counts"
    workplace.estimate()
    spent = float(capsys.readouterr().out.split(" USD spent")[0].split()[-1])
    assert spent >= 4 * EACH / 2
    workplace.set(budget_usd=100.0)
    workplace.run()
    assert len(workplace.labels()) == 4 and server.finished.total() == 8


def test_a_damaged_answer_of_which_nothing_can_be_read_counts_as_a_request_at_its_worst(
    workplace: Workplace,
) -> None:
    priced = settings(workplace)
    usage = {"input_tokens": 10**6, "output_tokens": 10}
    with Store("labels/openai", {}, paid=True) as store:
        for key, value in {"x": {}, "y": {"usage": usage}, "z": {}}.items():
            store.put([(key, json.dumps(value).encode())])
        with closing(sqlite3.connect(store.path)) as db, db:
            db.execute("UPDATE results SET value = value || ' '")
        assert not dict(store.get(["x", "y", "z"])) and len(list(store.damaged())) == 3
        ledger = Ledger(store)
    worst = cost(priced, Tokens(priced, ()).estimate(priced.max_side, priced.max_side), batch=False)
    assert ledger.cost(priced, {"x"}) == ledger.cost(priced, {"x", "w"}) == worst > 0
    assert ledger.cost(priced, {"x", "y", "z"}) == pytest.approx(2 * worst + 10 + 10 * 100 / 1e6)
