"""What goes wrong with a server: one sentence, and nothing that came is lost."""

import signal
import time

import pytest

from tests.support.chat_server import KEY, ChatServer
from tests.support.pictures import encoded
from tests.support.workplace import Workplace, picture, picture_id, sent_name
from text2image.base.console import InputError


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["sync", "batch"])
def test_a_refused_key_ends_the_run_at_once(
    workplace: Workplace, server: ChatServer, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    workplace.images(60)
    workplace.set(mode=mode)
    workplace.speed(concurrency=4)
    wrong = "sk-wrong-0123456789abcdef"
    monkeypatch.setenv("OPENAI_API_KEY", wrong)
    monkeypatch.setenv("OPENAI_LOG", "debug")
    stage = workplace.start()
    output, _ = stage.communicate(timeout=60)
    assert stage.returncode == 1
    assert "refuses it (status 401)" in output
    assert output.count("error:") == 1
    assert "Traceback" not in output
    assert 1 <= len(server.log) <= 4, "one request a worker"
    assert wrong not in output
    files = [path for path in workplace.root.rglob("*") if path.is_file()]
    assert files and not any(wrong.encode() in path.read_bytes() for path in files)


@pytest.mark.parametrize("status", [400, 403, 404])
def test_other_refusals_end_the_run_with_what_the_server_said(
    workplace: Workplace, server: ChatServer, status: int
) -> None:
    workplace.images(20)
    workplace.speed(concurrency=4)
    seen = iter(range(100))
    server.script.outcome = lambda image, attempt: status if next(seen) >= 6 else None
    with pytest.raises(InputError, match=f"label.openai.model.*status {status}: something broke") as caught:
        workplace.run()
    assert KEY not in str(caught.value)
    assert len(server.log) <= 6 + 4
    server.script.outcome = lambda image, attempt: None
    workplace.run()
    assert set(server.finished.values()) == {1}, "what came before the refusal was kept"


@pytest.mark.slow
def test_a_server_that_is_down_ends_the_run_and_keeps_what_came(
    workplace: Workplace, server: ChatServer
) -> None:
    workplace.images(40)
    workplace.speed(concurrency=2, max_retries=1)
    server.script.outcome = lambda image, attempt: "garbage" if len(server.finished) >= 10 else None
    with pytest.raises(InputError, match=r"unreadable answer.* for 5 images in a row"):
        workplace.run()
    assert 10 <= len(server.finished) <= 12
    server.script.outcome = lambda image, attempt: None
    workplace.run()
    assert len(workplace.labels()) == 40
    assert set(server.finished.values()) == {1}


def test_one_image_without_an_answer_is_listed_and_asked_by_the_next_run(
    workplace: Workplace, server: ChatServer, capsys: pytest.CaptureFixture[str]
) -> None:
    workplace.images(12)
    workplace.speed(max_retries=1, timeout=0.3)
    unlucky = sent_name(3)
    server.script.outcome = lambda image, attempt: "slow" if image == unlucky else None
    workplace.run()
    assert workplace.unlabelled() == {picture_id(3): "no answer after 2 attempts (no answer in time)"}
    assert "1 images got no answer" in capsys.readouterr().err
    server.script.outcome = lambda image, attempt: None
    workplace.run()
    assert not workplace.unlabelled()
    assert set(server.finished.values()) == {1}


def test_retry_after_is_honoured(workplace: Workplace, server: ChatServer) -> None:
    workplace.images(1)
    server.script.retry_after = "0.6"
    server.script.outcome = lambda image, attempt: 429 if attempt == 0 else None
    start = time.monotonic()
    workplace.run()
    assert time.monotonic() - start >= 0.6
    server.script.retry_after = "86400"
    server.script.outcome = lambda image, attempt: 429
    workplace.set(prompt="Anew")
    with pytest.raises(InputError, match="asks to wait 86400 s"):
        workplace.run()


@pytest.mark.slow
def test_an_interrupt_keeps_what_came(workplace: Workplace, server: ChatServer) -> None:
    workplace.images(8)
    workplace.speed(concurrency=2)
    server.script.hold_after = 5
    stage = workplace.start()
    server.wait_until(lambda: sum(kind == "held" for kind, _, _ in server.log) == 2)
    stage.send_signal(signal.SIGINT)
    output, _ = stage.communicate(timeout=30)
    assert stage.returncode == 130
    assert output.rstrip().endswith("run the same command to go on")
    assert "Traceback" not in output
    server.script.hold_after = None
    workplace.run()
    assert len(workplace.labels()) == 8
    assert set(server.finished.values()) == {1}


def test_an_account_without_credit_ends_the_run_at_once(workplace: Workplace, server: ChatServer) -> None:
    workplace.images(20)
    workplace.speed(concurrency=2)
    server.script.outcome = lambda image, attempt: "quota"
    with pytest.raises(InputError, match="quota is used up"):
        workplace.run()
    assert len(server.log) <= 2


@pytest.mark.parametrize("mode", ["sync", "batch"])
def test_nothing_is_paid_for_a_file_that_is_not_the_images_any_more(
    workplace: Workplace, server: ChatServer, mode: str
) -> None:
    workplace.images(6)
    workplace.set(mode=mode)
    workplace.speed(concurrency=1)
    kept = encoded(picture(3))
    changed = workplace.root / "images" / "3.png"
    changed.write_bytes(encoded(picture(77)))
    with pytest.raises(
        InputError, match=rf"3\.png as data/catalog\.csv lists it \({picture_id(3)}\), found other"
    ):
        workplace.run()
    assert sent_name(77) not in server.finished, "its bytes never left this machine"
    before = sorted(map(picture_id, range(6))).index(picture_id(3))
    assert len(server.finished) == (before if mode == "sync" else 0)
    changed.write_bytes(kept)
    workplace.run()
    assert len(workplace.labels()) == 6
    assert set(server.finished.values()) == {1}, "answers that came before the error were kept"
    assert sent_name(77) not in server.finished
